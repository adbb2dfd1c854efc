/** A failed run, in words: what was thrown, the line that replays it, and the story. */
import type { Decisions } from '../decide/decider.js'
import { countDecisions } from '../decide/decisions-text.js'
import type { World } from './world.js'

/** What a failure carries for whoever runs many. */
export interface FailureDetails {
  readonly seed: number
  readonly decisions: Decisions
  readonly replay: string
  readonly digest: number
  readonly story: readonly string[]
  /** What was thrown said so, before the story was put behind it. */
  readonly summary: string
}

const details = new WeakMap<object, FailureDetails>()

/** What is known of the run in which this was thrown. */
export function detailsOf(error: unknown): FailureDetails | undefined {
  return typeof error === 'object' && error !== null ? details.get(error) : undefined
}

/**
 * The same error, its message followed by the seed, the replay line and the story; its stack stays.
 */
export function explainFailure(
  thrown: unknown,
  world: World,
  decisions: Decisions,
  replay: string,
): Error {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown })
  const summary = error.message
  const story = world.story.lines()
  const report = [
    '',
    `seed ${world.seed} failed at ${world.clock.now.toFixed(3)} ms of virtual time`,
    `replay: ${replay}`,
    `the story (${countDecisions(decisions)} decisions), its end last:`,
    ...story.map((line) => `  ${line}`),
  ].join('\n')
  const { stack } = error
  try {
    error.message = `${summary}\n${report}`
    if (stack !== undefined) error.stack = `${stack}\n${report}`
  } catch {
    // A frozen error keeps its own words; the details below still tell.
  }
  const digest = world.digest >>> 0
  details.set(error, { seed: world.seed, decisions, replay, digest, story, summary })
  return error
}
