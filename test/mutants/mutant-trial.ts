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
    // What seeds without a fault find, and what is around the library, is no matter of the wire's.
    const asked = wire && outcome.faultFree === undefined && mutant.file.startsWith('src/')
    return { mutant, ...outcome, wire: asked ? await wireSuite(copy) : null }
  })
}

/** What fails where nothing was changed: it would be taken for a mutant's. */
export async function tryUnchanged(
  copy: MutantCopy,
  { seeds, faultFreeSeeds }: TrialOptions,
): Promise<SwarmOutcome> {
  return swarm(copy, {}, seeds, faultFreeSeeds)
}

async function swarm(
  copy: MutantCopy,
  { gate }: Pick<Mutant, 'gate'>,
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
  const args = [mocha, '--bail', '--reporter', 'json-stream', ...files]
  const { stdout, stderr, hung } = await run(copy, args)
  if (hung) return 'it hangs'
  const events = stdout.split('\n').filter((line) => line.startsWith('["'))
  for (const line of events) {
    const [event, details] = JSON.parse(line) as [string, { fullTitle?: string }]
    if (event === 'fail') return details.fullTitle
  }
  const isOver = events.at(-1)?.startsWith('["end"') === true
  return isOver ? undefined : `the process ended: ${stderr.trim().split('\n')[0] ?? ''}`
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
