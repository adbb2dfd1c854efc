/**
 * One open connection under the checker, and a log of what its application heard and its host was
 * told: what the tests of closing, limits, deadlines and flow begin with.
 */
import assert from 'node:assert/strict'
import {
  type CloseInfo,
  defineProtocol,
  type Handlers,
  isBinary,
  type ProtocolOptions,
  type Wsi,
} from '../../src/index.js'
import type { WsPeer } from '../../integrations/fake-poller.js'
import { type Harness, harness, type HarnessOptions } from './harness.js'

export interface SceneOptions {
  readonly context?: Partial<HarnessOptions>
  readonly handlers?: Handlers<undefined>
  readonly protocol?: Partial<ProtocolOptions<undefined>>
}

export interface Scene {
  readonly h: Harness
  /** Callbacks: `text a`, `binary 01`, `writable`, `closed 1000 CLOSED_BY_PEER`. */
  readonly log: string[]
  /** Announcements of connections since the last look: `SET 4`, `CLEAR 1`, `DEL 1`. */
  readonly told: string[]
  /** Every connection that opened, oldest first. */
  readonly wsis: Wsi[]
  readonly ends: CloseInfo[]
  /** What went to onError. */
  readonly errors: unknown[]
}

/** A context whose protocol writes down what happens; silence ends nobody unless asked for. */
export function scene(options: SceneOptions = {}): Scene {
  const log: string[] = []
  const told: string[] = []
  const wsis: Wsi[] = []
  const ends: CloseInfo[] = []
  const errors: unknown[] = []
  const protocol = defineProtocol({
    ...options.protocol,
    handlers: {
      ESTABLISHED: (wsi) => void wsis.push(wsi),
      RECEIVE: (wsi, data) =>
        void log.push(isBinary(wsi) ? `binary ${data.toString('hex')}` : `text ${data.toString()}`),
      SERVER_WRITEABLE: () => void log.push('writable'),
      CLOSED(_wsi, info) {
        ends.push(info)
        log.push(`closed ${info.code} ${info.cause}`)
      },
      ...options.handlers,
    },
  })
  const h = harness({
    pingIntervalMs: 0,
    idleTimeoutMs: 0,
    protocols: [protocol],
    onError: (error) => void errors.push(error),
    on: {
      SET_MODE: (_fd, events) => void told.push(`SET ${events}`),
      CLEAR_MODE: (_fd, events) => void told.push(`CLEAR ${events}`),
      DEL_POLL_FD: (_fd, events) => void told.push(`DEL ${events}`),
    },
    ...options.context,
  })
  return { h, log, told, wsis, ends, errors }
}

export interface OpenScene extends Scene {
  readonly peer: WsPeer
  readonly wsi: Wsi
  /** The mask the host was last told. */
  readonly mask: () => number | undefined
}

/** The same with one connection that went through its handshake; the logs are empty. */
export function openScene(options: SceneOptions = {}): OpenScene {
  const made = scene(options)
  const { h, log, told, wsis } = made
  const peer = h.open()
  const wsi = wsis[0]
  assert.ok(wsi !== undefined, 'it was established')
  log.length = told.length = 0
  const { fd } = peer
  return { ...made, peer, wsi, mask: () => h.poller.maskOf(fd) }
}

/** What was logged since the last look. */
export function taken(list: string[]): string[] {
  return list.splice(0)
}
