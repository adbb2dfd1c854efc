/**
 * One mutant on trial: before the swarm, before seeds without a fault, before the wire suite.
 *
 * Each in a process of its own, which is ended where it hangs. Prints nothing.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { projectRoot } from '../tidy/project-files.js'
import type { Mutant } from './mutant.js'
import type { MutantCopy } from './mutant-copy.js'

/** What swarm-child.ts answers. */
export interface SwarmOutcome {
  /** The first seed that failed, and how. */
  readonly swarm?: { readonly seed: number; readonly summary: string } | undefined
  readonly faultFree?: { readonly seed: number; readonly summary: string } | undefined
}

export interface Verdict extends SwarmOutcome {
  readonly mutant: Mutant
  /** The first test of the wire suite that failed; undefined: none, null: it was not run. */
  readonly wire: string | undefined | null
}

export interface TrialOptions {
  readonly seeds: number
  readonly faultFreeSeeds: number
  readonly wire: boolean
}

/** Silence for so long is a loop without end. */
const HANG_MS = 60_000
const MAX_OUTPUT = 2 ** 24

export async function tryMutant(
  copy: MutantCopy,
  mutant: Mutant,
  { seeds, faultFreeSeeds, wire }: TrialOptions,
): Promise<Verdict> {
  return copy.with(mutant, async () => {
    const outcome = await swarm(copy, mutant, seeds, faultFreeSeeds)
    return { mutant, ...outcome, wire: wire ? await wireSuite(copy) : null }
  })
}

async function swarm(
  copy: MutantCopy,
  { gate }: Mutant,
  seeds: number,
  faultFreeSeeds: number,
): Promise<SwarmOutcome> {
  const program = join('test', 'mutants', 'swarm-child.ts')
  const numbers = [String(seeds), String(faultFreeSeeds)]
  const args = ['--import', 'tsx', program, ...numbers, ...(gate === undefined ? [] : [gate])]
  const { stdout, stderr, hung } = await run(copy, args)
  const lines = stdout.trimEnd().split('\n')
  const last = lines.at(-1) ?? ''
  if (last.startsWith('{')) return JSON.parse(last) as SwarmOutcome
  const seed = Number(last.replace(/^seed /, ''))
  const first = (
    stderr
      .trim()
      .split('\n')
      .find((line) => line.includes('Error')) ?? ''
  ).trim()
  const failure = { seed, summary: hung ? 'it hangs' : `the process ended: ${first}` }
  // The seeds begin again with 1 where nothing goes wrong.
  return lines.lastIndexOf('seed 1') > 0 ? { faultFree: failure } : { swarm: failure }
}

async function wireSuite(copy: MutantCopy): Promise<string | undefined> {
  const mocha = join(projectRoot, 'node_modules', 'mocha', 'bin', 'mocha.js')
  const files = copy.wireSuite().map((name) => join('test', name))
  const { stdout, stderr, hung } = await run(copy, [
    mocha,
    '--bail',
    ...['--reporter', 'json'],
    ...files,
  ])
  if (hung) return 'it hangs'
  const begin = stdout.indexOf('\n{')
  try {
    const report = JSON.parse(stdout.slice(begin + 1)) as { failures: { fullTitle: string }[] }
    return report.failures[0]?.fullTitle
  } catch {
    return `the process ended: ${stderr.trim().split('\n')[0] ?? ''}`
  }
}

interface Ran {
  readonly stdout: string
  readonly stderr: string
  readonly hung: boolean
}

function run({ folder }: MutantCopy, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, EXTPOLL_TEST_TOTALS: '' }
    const child = spawn(process.execPath, args, { cwd: folder, env })
    let stdout = ''
    let stderr = ''
    let hung = false
    const silence = setTimeout(() => {
      hung = true
      child.kill('SIGKILL')
    }, HANG_MS)
    child.stdout.on('data', (chunk: Buffer) => {
      silence.refresh()
      if (stdout.length < MAX_OUTPUT) stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < MAX_OUTPUT) stderr += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(silence)
      resolve({ stdout, stderr, hung })
    })
  })
}
