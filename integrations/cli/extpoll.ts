#!/usr/bin/env node
/**
 * The command `extpoll`: which subcommand, and what becomes of its errors.
 *
 * A wrong option is one line on stderr and status 2; what the machine refuses (a port in use, no
 * addon) one line and status 1. Refuses to know what a subcommand does: each is a row of a table.
 */
import { UsageError } from '../../src/index.js'
import type { Command } from './command.js'
import { CommandError } from './command.js'
import { connect } from './connect.js'
import { echo } from './echo.js'
import { printError, printLine } from './print.js'
import { serve } from './serve.js'
import { shrinkCommand, sim } from './sim.js'
import { WorkerError } from './workers.js'

const commands: ReadonlyMap<string, Command> = new Map([
  ['echo', echo],
  ['serve', serve],
  ['connect', connect],
  ['sim', sim],
  ['shrink', shrinkCommand],
])

process.exitCode = await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  if (name === '--help' || name === '-h') {
    printLine(help())
    return 0
  }
  const command = name === undefined ? undefined : commands.get(name)
  if (command === undefined) {
    const what = name === undefined ? 'give a command' : `there is no command ${name}`
    printError(`extpoll: ${what}; there is ${[...commands.keys()].join(', ')}, and --help`)
    return 2
  }
  try {
    return await command.run(rest)
  } catch (error) {
    const status = statusOf(error)
    if (status === undefined) throw error
    printError(`extpoll ${name}: ${(error as Error).message}`)
    return status
  }
}

/** Undefined for what nobody foresaw: that is shown whole. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof CommandError) return 2
  // A port in use, an address this machine has not, no addon: the sentence says what to do.
  if (error instanceof UsageError || error instanceof WorkerError) return 1
  // The system ran out of something; its sentence begins with the call and the errno's name.
  return error instanceof Error && 'syscall' in error ? 1 : undefined
}

function help(): string {
  const rows = [...commands].map(([name, { summary }]) => `  extpoll ${name}   ${summary}`)
  return ['Usage: extpoll COMMAND [OPTION]...', '', ...rows, '']
    .concat('extpoll COMMAND --help tells the options of each.')
    .join('\n')
}
