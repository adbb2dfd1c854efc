/**
 * An announcement, and the pure function that applies it to a poll array.
 *
 * What a host hears of an fd is a sequence `ADD (SET | CLEAR)* DEL` (C1) of real changes (C2).
 */
import { lookAt, UsageError } from '../errors.js'

export type PollOp = 'ADD' | 'DEL' | 'SET' | 'CLEAR'

/**
 * The delta and both absolute masks of one announcement. Frozen in meaning: the library never
 * changes one it gave out.
 */
export interface PollChange {
  readonly op: PollOp
  readonly fd: number
  /** Unsigned 32-bit, never 0; compare for equality only (C5). */
  readonly gen: number
  /** ADD: the first mask. SET: bits now on. CLEAR: bits now off. DEL: the bits that were on. */
  readonly bits: number
  /** The mask before; 0 for ADD. */
  readonly prev: number
  /** The mask from now on; 0 for DEL. */
  readonly next: number
  /** Counts every announcement of the context from 1 (C6). */
  readonly seq: number
  /**
   * The context that announces, so that a poller shared by several can route what becomes ready.
   */
  readonly context: object
}

/** The mask of an fd after `change`, or `undefined` when it is gone. Tolerates repeats (C2). */
export function applyPollChange(
  mask: number | undefined,
  change: Pick<PollChange, 'op' | 'bits'>,
): number | undefined {
  const wanted = 'applyPollChange() takes a mask and a PollChange, as announcements are given it'
  return lookAt('ERR_EXTPOLL_ARGUMENT_TYPE', wanted, () => {
    const { op, bits } = change
    if (op === 'ADD') return bits
    if (op === 'DEL') return undefined
    if (op === 'SET') return (mask ?? 0) | bits
    if (op === 'CLEAR') return (mask ?? 0) & ~bits
    throw new UsageError('ERR_EXTPOLL_ARGUMENT_TYPE', wanted)
  })
}
