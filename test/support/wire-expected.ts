/**
 * What a row of the wire tests expects: types only, for wire.ts, which runs rows, and
 * wire-bytes.ts, which makes them.
 */
import type { CloseInfo } from '../../src/index.js'

/** What became of a connection once everything was sent. */
export type Ending = 'open' | 'lingers' | 'closes' | 'resets'

export interface Expected {
  /** Callbacks in order: `text "Hello"`, `binary 0102`, `pong 68`, `http GET /`. Default none. */
  readonly events?: readonly string[]
  /** Exactly these bytes leave. Default none. Not looked at where `status` stands. */
  readonly sent?: Uint8Array
  /** The status of an HTTP answer in place of `sent`, with what its headers must hold. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** The answer's body holds this. */
  readonly body?: string
  /** Default 'open'. Lingers: FIN after the last byte, and the descriptor waits for the peer's. */
  readonly end?: Ending
  /** What CLOSED tells. Absent: it never comes. */
  readonly close?: CloseInfo
  /** How many bytes must have arrived, and are enough, for the first byte of an answer. */
  readonly answeredAfter?: number
  /** Codes of the errors that reach `onError`, in order. Default none. */
  readonly errors?: readonly string[]
}
