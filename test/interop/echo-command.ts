/**
 * `extpoll echo` as it was built, in a process of its own, and programs of others that talk to it.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { Program, projectRoot } from '../support/programs.js'

const bin = join(projectRoot, 'dist/integrations/cli/extpoll.js')

export interface EchoServer {
  readonly program: Program
  readonly url: string
  readonly port: number
}

/** Starts it on a free port of 127.0.0.1, and waits until it accepts. */
export async function startEcho(...args: string[]): Promise<EchoServer> {
  const program = new Program(bin, ['echo', '--port', '0', ...args])
  const line = await program.firstLine()
  const [, url, port] = /^listening on (ws:\/\/.+:(\d+))$/.exec(line) ?? assert.fail(line)
  return { program, url: url!, port: Number(port) }
}

/** SIGTERM: it says nothing on stderr and ends with 0. */
export async function endEcho({ program }: EchoServer): Promise<void> {
  const { status, signal } = await program.signal('SIGTERM')
  assert.deepEqual([status, signal, program.stderr], [0, null, ''])
}

/** A client program ended well. */
export async function assertDone(client: Program): Promise<void> {
  const { status } = await client.ended
  assert.equal(status, 0, `${client.stdout}\n${client.stderr}`)
  assert.match(client.stdout, /^done$/m)
}

/**
 * First in a chapter that needs a program of others: where it is not here, one line says so.
 * @param debian the package that has it
 * @param probe a command that ends with 0 where it is here
 */
export function needsPackage(debian: string, ...probe: [command: string, ...args: string[]]): void {
  before(function () {
    const [command, ...args] = probe
    if (spawnSync(command, args, { timeout: 20_000 }).status === 0) return
    console.log(`    left out: Debian's ${debian} is not here`)
    this.skip()
  })
}
