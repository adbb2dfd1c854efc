/**
 * The context's own Protocol objects, and which of them a client gets.
 */
import { lookAt, UsageError } from '../errors.js'
import { isToken } from '../wire/handshake.js'
import { Reason } from './callback-reason.js'
import {
  type AnyProtocolDefinition,
  type Context,
  type Protocol,
  type Wsi,
} from './protocol-types.js'

/** The callback with its types taken off: what the library calls. */
export type UntypedCallback = (
  ctx: Context,
  wsi: Wsi | null,
  reason: number,
  user: unknown,
  data: unknown,
  len: number,
) => unknown

const ALL_REASONS = -1

function bitsOf(reasons: ReadonlySet<number>): number {
  let bits = 0
  for (const reason of Object.values(Reason)) if (reasons.has(reason)) bits |= 1 << reason
  return bits
}

/** A protocol within one context. */
export class ProtocolEntry implements Protocol {
  /** Whether it is one of these, see Connection.made. */
  static made(value: unknown): value is ProtocolEntry {
    return typeof value === 'object' && value !== null && #hears in value
  }

  readonly name: string
  readonly owningContext: Context
  readonly protocolIndex: number
  readonly limits: Readonly<Record<string, number>>
  readonly callback: UntypedCallback
  readonly createSession: ((wsi: Wsi) => unknown) | undefined
  readonly copies: boolean
  readonly streams: boolean
  readonly closesWhenFull: boolean
  readonly #declares: boolean
  /** A bit for each reason: asked several times for each connection. */
  readonly #hears: number

  constructor(
    definition: AnyProtocolDefinition,
    owningContext: Context,
    protocolIndex: number,
    limits: Readonly<Record<string, number>>,
  ) {
    this.limits = limits
    this.name = definition.name
    this.owningContext = owningContext
    this.protocolIndex = protocolIndex
    this.callback = definition.callback as UntypedCallback
    this.createSession = definition.createSession
    this.copies = definition.payload === 'copy'
    this.streams = definition.delivery === 'stream'
    this.closesWhenFull = definition.onFull === 'close'
    this.#declares = definition.hears !== undefined
    this.#hears = definition.hears === undefined ? ALL_REASONS : bitsOf(definition.hears)
  }

  /** Does it say that it acts on this reason? A callback says nothing. */
  declares(reason: number): boolean {
    return this.#declares && this.hears(reason)
  }

  /** Might its callback act on this reason? */
  hears(reason: number): boolean {
    return (this.#hears & (1 << reason)) !== 0
  }
}

/** @throws UsageError for an empty list, a bad name, or the same name twice */
export function makeProtocols(
  definitions: readonly AnyProtocolDefinition[],
  owner: Context,
  limits: Readonly<Record<string, number>>,
): ProtocolEntry[] {
  return lookAt('ERR_EXTPOLL_PROTOCOLS', WANTED, () => readProtocols(definitions, owner, limits))
}

const WANTED = 'protocols must be an array of at least one protocol; make one with defineProtocol()'

function readProtocols(
  definitions: readonly AnyProtocolDefinition[],
  owner: Context,
  limits: Readonly<Record<string, number>>,
): ProtocolEntry[] {
  if (!Array.isArray(definitions) || definitions.length === 0)
    throw new UsageError('ERR_EXTPOLL_PROTOCOLS', WANTED)
  const names = new Set<string>()
  const entries: ProtocolEntry[] = []
  for (const definition of definitions as readonly AnyProtocolDefinition[]) {
    const index = entries.length
    checkDefinition(definition, index)
    if (names.has(definition.name))
      throw new UsageError(
        'ERR_EXTPOLL_PROTOCOLS',
        `protocols[${index}]: a second protocol named ${JSON.stringify(definition.name)}`,
      )
    names.add(definition.name)
    entries.push(new ProtocolEntry(definition, owner, index, limits))
  }
  return entries
}

function checkDefinition(definition: AnyProtocolDefinition, index: number): void {
  const at = `protocols[${index}]`
  const refuse = (what: string): never => {
    throw new UsageError('ERR_EXTPOLL_PROTOCOLS', `${at}${what}`)
  }
  if (typeof definition !== 'object' || definition === null)
    refuse(' must be an object; make one with defineProtocol()')
  if (typeof definition.name !== 'string' || (definition.name !== '' && !isToken(definition.name)))
    refuse(`.name must be '' or letters, digits and -._~ without spaces or commas (RFC 6455 4.1)`)
  if (typeof definition.callback !== 'function')
    refuse('.callback must be a function; for a table of handlers use defineProtocol()')
  checkChoice(`${at}.payload`, definition.payload, ['view', 'copy'])
  checkChoice(`${at}.delivery`, definition.delivery, ['message', 'stream'])
  checkChoice(`${at}.onFull`, definition.onFull, ['report', 'close'])
}

function checkChoice(what: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || (typeof value === 'string' && allowed.includes(value))) return
  throw new UsageError(
    'ERR_EXTPOLL_PROTOCOLS',
    `${what} must be ${allowed.map((word) => `'${word}'`).join(' or ')}`,
  )
}

/**
 * The protocol for a handshake: the first the client offers that is spoken here; for a client that
 * offers none the first with an empty name, else the first that can RECEIVE.
 * @returns null where nothing fits
 * @see RFC 6455 4.2.2 (5), seed: libwebsocket_protocols
 */
export function selectProtocol(
  protocols: readonly ProtocolEntry[],
  offered: readonly string[] | null,
): ProtocolEntry | null {
  if (offered !== null) {
    for (const name of offered) {
      const match = protocols.find((protocol) => protocol.name === name && name !== '')
      if (match !== undefined) return match
    }
    return null
  }
  return (
    protocols.find((protocol) => protocol.name === '') ??
    protocols.find((protocol) => protocol.hears(Reason.RECEIVE)) ??
    null
  )
}
