/**
 * What a rule of the checker is: an id of the contract, its sentence, and where it looks.
 *
 * Each function answers undefined, or in a few words what was seen that breaks the rule. Those
 * that look before a step see the facts as they were before it.
 */
import type { PollChange, Pollfd } from '../../src/index.js'
import type { ContextFacts, FdFacts, Frame, Scene } from './checker-facts.js'

export type IoOp =
  | 'accept'
  | 'recv'
  | 'send'
  | 'sendv'
  | 'pending'
  | 'shutdown'
  | 'close'
  | 'socketError'
  | 'connectResult'
  | 'resolve'
  | 'resolved'
  | 'cancel'
  | 'localAddress'
  | 'peerAddress'
  | 'sendFile'

export type Broken = string | undefined

export interface Rule {
  /** Of the contract: C1 to C30, H1 to H9. */
  readonly id: string
  readonly sentence: string
  /** Before an announcement is applied. `facts` is the life that is live on the number, if any. */
  announce?(scene: Scene, facts: FdFacts | undefined, change: PollChange, events: number): Broken
  /** Before SET_TIMEOUT is applied. */
  timeout?(
    scene: Scene,
    context: ContextFacts | undefined,
    timeoutMs: number,
    deadlineMs: number | null,
  ): Broken
  /** Before a call into the bytes seam. @param asked a count of bytes; of close, 1 for a reset */
  io?(scene: Scene, op: IoOp, fd: number, facts: FdFacts | undefined, asked: number): Broken
  /** After one, with the facts as they are then. */
  ioResult?(scene: Scene, op: IoOp, facts: FdFacts, result: number): Broken
  /** A call into a context began. */
  enter?(scene: Scene, frame: Frame): Broken
  /** The outermost call began, and is serviceFd of a pollfd. */
  service?(scene: Scene, context: ContextFacts): Broken
  /** A call returned, nested ones too. */
  leave?(scene: Scene, frame: Frame, result: unknown): Broken
  /** The outermost call returned. */
  exit?(scene: Scene, context: ContextFacts, result: unknown): Broken
  /** The same, for each descriptor that the call touched. */
  settled?(scene: Scene, facts: FdFacts, result: unknown): Broken
  /** Before a protocol callback other than those of the announcements. */
  callback?(
    scene: Scene,
    context: ContextFacts,
    reason: number,
    facts: FdFacts | undefined,
    data: unknown,
  ): Broken
  /** The library read the clock; `scene.nowMs` is the reading before. */
  clock?(scene: Scene, nowMs: number): Broken
  /** The host gave entropy; `scene.entropy` is what it gave before. */
  entropy?(scene: Scene, bytes: Uint8Array): Broken
  /** The host tells what its wait gave. */
  wait?(scene: Scene, batch: readonly Pollfd[]): Broken
}

/** What a call answered, for people. */
export function quoted(result: unknown): string {
  return typeof result === 'string' ? `'${result}'` : typeof result
}

/** What was broken, where, and what led there. */
export interface Violation {
  /** The rule's id in the contract, `C3` or `H6`. */
  readonly rule: string
  /** The rule in a sentence. */
  readonly sentence: string
  /** What was seen. */
  readonly detail: string
  /** The last 20 calls, oldest first. */
  readonly calls: readonly string[]
}

/** A violation for people. */
export function formatViolation(violation: Violation): string {
  const { rule, sentence, detail, calls } = violation
  return [
    `${rule}: ${sentence}`,
    `seen: ${detail}`,
    'the last calls:',
    ...calls.map((c) => `  ${c}`),
  ].join('\n')
}
