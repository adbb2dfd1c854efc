/**
 * A list of decisions as one line, to be copied from a report into a command.
 *
 * `label=3,0,5 other=1`: what is 0 at the end of a label is left out, as 0 is what a list that says
 * nothing means.
 */
import type { Decisions } from './decider.js'

export function formatDecisions(decisions: Decisions): string {
  const parts: string[] = []
  for (const [label, values] of decisions) {
    const kept = withoutTail(values)
    if (kept.length > 0) parts.push(`${label}=${kept.join(',')}`)
  }
  return parts.join(' ')
}

/** @returns undefined for a text that is no list of decisions */
export function parseDecisions(text: string): Decisions | undefined {
  const decisions = new Map<string, readonly number[]>()
  for (const part of text.split(' ')) {
    if (part === '') continue
    const match = /^([a-z0-9.-]+)=(\d{1,10}(?:,\d{1,10})*)$/.exec(part)
    if (match === null) return undefined
    decisions.set(match[1]!, match[2]!.split(',').map(Number))
  }
  return decisions
}

/** Decisions that are not 0: what a reader has to follow. */
export function countDecisions(decisions: Decisions): number {
  let count = 0
  for (const values of decisions.values()) for (const value of values) if (value !== 0) count += 1
  return count
}

function withoutTail(values: readonly number[]): readonly number[] {
  let { length } = values
  while (length > 0 && values[length - 1] === 0) length -= 1
  return values.slice(0, length)
}
