/**
 * A context of two protocols in the seed's own form, that write down what each of them is told.
 */
import assert from 'node:assert/strict'
import {
  reasonName,
  type Context,
  type ContextOptions,
  type FilterAnswer,
  type ProtocolDefinition,
  type Wsi,
} from '../../src/index.js'
import { harness, type Harness } from './harness.js'

export interface Heard {
  /** The protocol that was told. */
  readonly by: string
  readonly reason: string
  readonly ctx: Context
  readonly wsi: Wsi | null
  readonly data: unknown
  readonly len: number
}

export interface Told {
  readonly h: Harness
  readonly heard: Heard[]
  readonly errors: unknown[]
  /** `second RECEIVE`, of these reasons only; all but announcements where none are named. */
  readonly lines: (...reasons: string[]) => string[]
  /** The first of them. */
  readonly of: (reason: string) => Heard
}

/** What the callbacks do and answer; there is a `wsi` where the reason has one. */
export type Answers = Partial<Record<string, (ctx: Context, wsi: Wsi) => unknown>>

/** Two protocols, first and second, that write down what they are told, and answer as asked. */
export function told(answers: Answers = {}, context: Partial<ContextOptions> = {}): Told {
  const heard: Heard[] = []
  const errors: unknown[] = []
  const listening = (by: string): ProtocolDefinition => ({
    name: by,
    callback: (...args) => {
      const [ctx, wsi, reason, , data, len] = args
      heard.push({ by, reason: reasonName(reason), ctx, wsi, data: copyOf(data), len })
      return answers[reasonName(reason)]?.(ctx, wsi as Wsi) as FilterAnswer
    },
  })
  const h = harness({
    pingIntervalMs: 0,
    idleTimeoutMs: 0,
    protocols: [listening('first'), listening('second')],
    onError: (error) => void errors.push(error),
    ...context,
  })
  return {
    h,
    heard,
    errors,
    lines: (...reasons) =>
      heard
        .filter(({ reason }) =>
          reasons.length === 0 ? !/POLL/.test(reason) : reasons.includes(reason),
        )
        .map(({ by, reason }) => `${by} ${reason}`),
    of: (wanted) => heard.find(({ reason }) => reason === wanted) ?? assert.fail(`no ${wanted}`),
  }
}

/** Views die with the call. */
const copyOf = (data: unknown): unknown => (Buffer.isBuffer(data) ? Buffer.from(data) : data)
