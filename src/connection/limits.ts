/**
 * Every limit, budget and deadline: one table of name, default, bounds and reason.
 *
 * `createContext` takes each by its name. None is infinite; where 0 switches one off, the row says
 * so.
 */
import { UsageError } from '../errors.js'

/** One limit, budget or deadline. */
export interface LimitRow {
  readonly default: number
  readonly min: number
  readonly max: number
  /** Why it is there, why this default, and what better-known servers use. */
  readonly why: string
}

const MAX_MS = 2 ** 31 - 1
const MAX_BYTES = 2 ** 30

const rows = {
  // Deadlines (C23)
  handshakeTimeoutMs: {
    default: 10_000,
    min: 1,
    max: MAX_MS,
    why:
      'From accept to the end of a request head, and to the decision of a deferred filter; of a ' +
      'client from its request to the answer: a slow handshake holds a descriptor. nginx ' +
      'client_header_timeout 60 s, Node headersTimeout 60 s, libwebsockets 20 s.',
  },
  resolveTimeoutMs: {
    default: 10_000,
    min: 1,
    max: MAX_MS,
    why: 'Until a name has its first address. resolv.conf waits 5 s, and tries twice.',
  },
  resolutionDelayMs: {
    default: 50,
    min: 0,
    max: MAX_MS,
    why: 'IPv4 addresses that came first wait this long for those of IPv6. RFC 8305 50 ms.',
  },
  connectTimeoutMs: {
    default: 10_000,
    min: 1,
    max: MAX_MS,
    why: 'Of all addresses together. Linux alone waits two minutes for one; curl 300 s.',
  },
  connectAttemptDelayMs: {
    default: 250,
    min: 10,
    max: MAX_MS,
    why: 'An address that keeps silent this long gets company by the next. RFC 8305 250 ms.',
  },
  proxyTimeoutMs: {
    default: 10_000,
    min: 1,
    max: MAX_MS,
    why: 'From CONNECT to the answer: the proxy connects meanwhile.',
  },
  bodyTimeoutMs: {
    default: 30_000,
    min: 1,
    max: MAX_MS,
    why: "Nothing of a request's body came for this long. nginx client_body_timeout 60 s.",
  },
  answerTimeoutMs: {
    default: 60_000,
    min: 1,
    max: MAX_MS,
    why:
      'The application wrote nothing of the answer that it owes for this long. nginx ' +
      'proxy_read_timeout 60 s.',
  },
  keepAliveTimeoutMs: {
    default: 65_000,
    min: 1,
    max: MAX_MS,
    why:
      'A connection waits this long for its next request: longer than the 60 s after which ' +
      'proxies let go of theirs. nginx keepalive_timeout 75 s, Node 5 s.',
  },
  idleTimeoutMs: {
    default: 120_000,
    min: 0,
    max: MAX_MS,
    why:
      'Not a byte received for this long: the peer is gone. 0 = off. uWebSockets 120 ' +
      's, nginx proxy_read_timeout 60 s.',
  },
  pingIntervalMs: {
    default: 30_000,
    min: 0,
    max: MAX_MS,
    why:
      'A quiet connection is asked whether it lives, before middleboxes forget it. 0 = ' +
      'off. python-websockets 20 s, libwebsockets 300 s.',
  },
  pongTimeoutMs: {
    default: 20_000,
    min: 1,
    max: MAX_MS,
    why: 'A ping not answered by any byte for this long: the peer is gone. python-websockets 20 s.',
  },
  closeTimeoutMs: {
    default: 10_000,
    min: 1,
    max: MAX_MS,
    why:
      'Our close frame waits this long for the one of the peer. python-websockets 10 ' +
      's, ws 30 s.',
  },
  writeStallTimeoutMs: {
    default: 60_000,
    min: 1,
    max: MAX_MS,
    why: 'Bytes are queued and the peer took none for this long. nginx send_timeout 60 s.',
  },
  lingerTimeoutMs: {
    default: 2_000,
    min: 1,
    max: MAX_MS,
    why:
      'After a refusal we wait for the peer to read it before the descriptor goes: ' +
      'closing with unread bytes would reset the answer away. nginx lingering_timeout ' +
      '5 s.',
  },
  pausedErrorTimeoutMs: {
    default: 5_000,
    min: 1,
    max: MAX_MS,
    why:
      'A paused connection whose peer is known to be gone keeps what was received this ' +
      'long for its application.',
  },
  acceptRetryMs: {
    default: 100,
    min: 1,
    max: MAX_MS,
    why:
      'A listener that ran out of descriptors tries again, or as soon as a connection ' +
      'closed. nginx 500 ms.',
  },

  // Sizes
  maxHeaderBytes: {
    default: 16_384,
    min: 256,
    max: 65_536,
    why: 'Of a request head. Node 16 KiB, nginx 4 x 8 KiB.',
  },
  maxHeaderCount: {
    default: 100,
    min: 8,
    max: 10_000,
    why: 'Fields of a request head. Node 2,000, Apache 100.',
  },
  maxBodyBytes: {
    default: 2 ** 20,
    min: 0,
    max: 2 ** 50,
    why:
      "Of a request's body. It comes in pieces and is never held whole, so that more costs time, " +
      'not memory. nginx client_max_body_size 1 MiB.',
  },
  maxDiscardedBytes: {
    default: 65_536,
    min: 0,
    max: MAX_BYTES,
    why:
      'Of a body that was answered before it came: with more the connection ends, since reading ' +
      'on would cost more than a new one. Node reads all of it.',
  },
  pipelineHighWaterBytes: {
    default: 8_192,
    min: 1,
    max: 65_536,
    why:
      'Of further requests that came while one is being answered; above this nothing more is ' +
      'read (C16). Node reads on, up to 1,000 requests.',
  },
  maxMessageBytes: {
    default: 2 ** 20,
    min: 1,
    max: MAX_BYTES,
    why:
      'Of a message after reassembly: what one peer can make us hold. ws 100 MiB, ' +
      'uWebSockets 16 KiB, python-websockets 1 MiB.',
  },
  maxFrameBytes: {
    default: MAX_BYTES,
    min: 125,
    max: MAX_BYTES,
    why: 'Of one frame: maxMessageBytes bounds it before this does, unless delivery is "stream".',
  },
  maxFragments: {
    default: 4_096,
    min: 1,
    max: MAX_BYTES,
    why:
      'Frames of a message: empty fragments cost us work and the sender little (ws ' +
      'CVE-2026-48779).',
  },
  maxPendingPongs: {
    default: 64,
    min: 1,
    max: 65_536,
    why: 'Pongs that wait for a peer that pings and does not read.',
  },
  maxBufferedBytes: {
    default: 2 ** 22,
    min: 1_024,
    max: MAX_BYTES,
    why:
      'Of one send queue, counting its parts. A write past it answers full. ' +
      'uWebSockets 64 KiB, ws none.',
  },
  maxContextBufferedBytes: {
    default: 2 ** 28,
    min: 1_024,
    max: 2 ** 40,
    why:
      'Of all send queues and partly received messages together: many slow peers are ' +
      'an attack that no single limit sees.',
  },
  txHighWaterBytes: {
    default: 65_536,
    min: 1,
    max: MAX_BYTES,
    why: 'A send queue above this stops reading from its peer (C16).',
  },
  txLowWaterBytes: {
    default: 16_384,
    min: 1,
    max: MAX_BYTES,
    why: 'A send queue below this makes the connection writeable again.',
  },
  rxHighWaterBytes: {
    default: 65_536,
    min: 1_024,
    max: MAX_BYTES,
    why: 'Received bytes that wait for the application; above this nothing more is read (C16).',
  },
  maxConnections: {
    default: 100_000,
    min: 1,
    max: 2 ** 24,
    why: 'Of the context. At the limit the listener pauses. nginx worker_connections 512.',
  },
  maxConnectionsPerPeer: {
    default: 0,
    min: 0,
    max: 2 ** 24,
    why:
      'Of one address (IPv6: one /64). 0 = maxConnections: a proxy in front makes all ' +
      'peers one.',
  },
  maxConnectAddresses: {
    default: 16,
    min: 1,
    max: 1_024,
    why: 'Addresses of a name that are tried: a name may have hundreds.',
  },
  listenBacklog: {
    default: 511,
    min: 1,
    max: 65_535,
    why: 'Connections that wait to be accepted. nginx and Node 511.',
  },

  // Work per outermost call (C13)
  rxBudgetBytes: {
    default: 65_536,
    min: 1_024,
    max: 2 ** 24,
    why: 'Read per call, a frame header apart: fairness between peers.',
  },
  messageBudget: {
    default: 256,
    min: 1,
    max: 2 ** 20,
    why: 'Messages and control frames handled per call.',
  },
  turnMessageBudget: {
    default: 16,
    min: 1,
    max: 2 ** 20,
    why:
      'Of these, for one descriptor of a batch before the next has its turn: 200 floods of small ' +
      'frames must not keep an honest peer waiting for 20 ms.',
  },
  txBudgetBytes: {
    default: 262_144,
    min: 1_024,
    max: 2 ** 28,
    why: 'Written per call; the rest waits for POLLOUT.',
  },
  acceptBudget: {
    default: 64,
    min: 1,
    max: 65_536,
    why: 'Connections accepted per call. nginx multi_accept all, libuv 32.',
  },
  deadlineBudget: { default: 256, min: 1, max: 2 ** 20, why: 'Deadlines handled per call.' },
  broadcastBudget: {
    default: 256,
    min: 1,
    max: 2 ** 20,
    why: 'Connections told of a broadcast per call.',
  },
  endBudget: { default: 64, min: 1, max: 2 ** 20, why: 'Connections ended per call.' },
  inflateBudgetBytes: {
    default: 2 ** 20,
    min: 1_024,
    max: MAX_BYTES,
    why: 'Bytes decompressed per call.',
  },
  unwindRounds: {
    default: 8,
    min: 1,
    max: 1_024,
    why: 'Rounds of flush, ends and deferred callbacks when a call unwinds (C7).',
  },
  maxRanges: {
    default: 32,
    min: 1,
    max: 1_000,
    why:
      'Of a Range field; one that asks for more is not heeded, and the whole file answers. What ' +
      'overlaps is sent once. Apache 200, nginx without bound.',
  },
  corkMaxBytes: {
    default: 16_384,
    min: 0,
    max: 65_536,
    why:
      'Payloads up to this are copied into the transmit buffer; larger ones leave at ' +
      'once from where they are.',
  },
} as const satisfies Record<string, LimitRow>

export type LimitName = keyof typeof rows

/** Name, default, bounds and reason of every limit: `limits.maxMessageBytes.default`. */
export const limits: Readonly<Record<LimitName, LimitRow>> = rows

/** The limits in force in one context. */
export type Limits = Readonly<Record<LimitName, number>>

/** Fills in the defaults. @throws UsageError for a value out of bounds, naming both */
export function resolveLimits(options: Readonly<Partial<Record<string, unknown>>>): Limits {
  // A copy of a literal keeps its shape: built name by name, V8 would make it a slow dictionary.
  const limits = { ...rows } as unknown as Record<LimitName, number>
  for (const name of Object.keys(rows) as LimitName[]) {
    const { default: fallback, min, max } = rows[name]
    const value = options[name] ?? fallback
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      throw new UsageError(
        'ERR_EXTPOLL_LIMIT',
        `${name} must be a whole number from ${min} to ${max}, not ` +
          (typeof value === 'number' ? String(value) : typeof value),
      )
    limits[name] = value
  }
  if (limits.txLowWaterBytes > limits.txHighWaterBytes)
    throw new UsageError(
      'ERR_EXTPOLL_LIMIT',

      `txLowWaterBytes (${limits.txLowWaterBytes}) must not be above ` +
        `txHighWaterBytes (${limits.txHighWaterBytes})`,
    )
  if (limits.maxConnectionsPerPeer === 0) limits.maxConnectionsPerPeer = limits.maxConnections
  return limits
}
