/**
 * From a long list of decisions that fails to a short one that fails in the same way.
 *
 * What a list does not say is 0, the choice in which least happens; so labels are dropped, spans
 * deleted or zeroed, neighbours merged (one gap in place of two) and values lowered, for as long as
 * the run still fails. Refuses to know what a decision means.
 */
import type { Decisions } from './decider.js'

export interface ShrinkOptions {
  /** Asked before each attempt: go on? */
  readonly goesOn: () => boolean
}

type Lists = Map<string, number[]>

/**
 * @param fails whether a run with these decisions fails in the way in question
 * @returns the shortest list found; the one given, where none is shorter
 */
export function shrink(
  decisions: Decisions,
  fails: (decisions: Decisions) => boolean,
  { goesOn }: ShrinkOptions,
): Decisions {
  let best: Lists = copyOf(decisions)
  const attempt = (change: (lists: Lists) => void): boolean => {
    if (!goesOn()) return false
    const candidate = copyOf(best)
    change(candidate)
    if (sizeOf(candidate) >= sizeOf(best) || !fails(candidate)) return false
    best = candidate
    return true
  }
  for (let before = Infinity; sizeOf(best) < before && goesOn();) {
    before = sizeOf(best)
    dropLabels(best, attempt)
    for (const label of [...best.keys()]) {
      dropSpans(() => best.get(label) ?? [], label, attempt)
      lowerValues(() => best.get(label) ?? [], label, attempt)
    }
  }
  return best
}

type Attempt = (change: (lists: Lists) => void) => boolean

/** Many labels at once first: most have nothing to do with it. */
function dropLabels(lists: Lists, attempt: Attempt): void {
  let left = [...lists.keys()]
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size > 1 ? size >> 1 : 0) {
    for (let at = 0; at < left.length; at += size) {
      const gone = left.slice(at, at + size)
      if (!attempt((candidate) => gone.forEach((label) => candidate.delete(label)))) continue
      left = left.filter((label) => !gone.includes(label))
      at -= size
    }
  }
}

function dropSpans(values: () => readonly number[], label: string, attempt: Attempt): void {
  for (let size = values().length; size >= 1; size >>= 1) {
    for (let at = 0; at < values().length; at += size) {
      const list = values()
      if (list.slice(at, at + size).every((value) => value === 0)) continue
      if (attempt((lists) => lists.get(label)?.splice(at, size))) continue
      if (attempt((lists) => lists.get(label)?.fill(0, at, at + size))) continue
      if (size > 1) continue
      // One gap in place of two: what came after stays where it was.
      attempt((lists) => {
        const merged = lists.get(label)!
        const [first = 0, second = 0] = merged.splice(at, 2)
        merged.splice(at, 0, first + second)
      })
    }
  }
}

function lowerValues(values: () => readonly number[], label: string, attempt: Attempt): void {
  for (let at = 0; at < values().length; at += 1) {
    let low = 0
    let high = values()[at] ?? 0
    while (high - low > 1) {
      const middle = (low + high) >> 1
      const lowered = attempt((lists) => {
        lists.get(label)![at] = middle
      })
      if (lowered) high = middle
      else low = middle
    }
  }
}

function copyOf(decisions: Decisions): Lists {
  return new Map([...decisions].map(([label, values]) => [label, [...values]]))
}

/** Decisions that say something weigh most, then the lists' lengths, then the values. */
function sizeOf(decisions: Decisions): number {
  let size = 0
  for (const values of decisions.values()) {
    size += values.length
    for (const value of values) size += value === 0 ? 0 : 1000 + Math.log2(value)
  }
  return size
}
