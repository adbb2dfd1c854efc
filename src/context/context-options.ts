/** What `createContext` takes, checked. */
import { type OriginPolicy } from '../connection/connection.js'
import { type LimitName, limits } from '../connection/limits.js'
import { lookAt, shown, UsageError } from '../errors.js'
import { type Host } from '../host.js'
import { type AnyProtocolDefinition } from '../protocol/protocol-types.js'
import { isSameOrigin, type UpgradeRequest } from '../wire/handshake.js'
import { type OnHandlers } from './announcer.js'

/** Options of `createContext`. Every limit of `limits` may stand here too, by its name. */
export interface ContextOptions extends Partial<Readonly<Record<LimitName, number>>> {
  /** What the integration supplies: `epollHost()`, `rawHost()`, a fake poller's, your own. */
  readonly host: Host
  /** At least one; the first also gets HTTP, the network filter and the announcements. */
  readonly protocols: readonly AnyProtocolDefinition[]
  /** TCP port to listen on, 0 = any free one. Absent, with `path` absent too: no listener. */
  readonly port?: number
  /** Address to listen on, IPv4 or IPv6 in text. Default 127.0.0.1. */
  readonly address?: string
  /** A Unix socket to listen on, in place of a port. */
  readonly path?: string
  /**
   * Group and user to change to, for good, once the listener is bound: the one process-wide effect.
   * Main thread only.
   */
  readonly gid?: number
  readonly uid?: number
  /** The keepers of the poll array where `host` has none; observers otherwise. */
  readonly on?: OnHandlers
  /**
   * Gets what callbacks and observers throw. Absent: the first is rethrown from the outermost call
   * (C29).
   */
  readonly onError?: (error: unknown) => void
  /**
   * Which Origins may connect. Default: those that match Host. Requests without an Origin are no
   * browser's, and pass.
   */
  readonly allowedOrigins?: 'any' | readonly string[] | OriginPolicy
  /**
   * A client that offers only subprotocols unknown here: refused with 400, or answered without the
   * header. Default 'refuse'.
   */
  readonly unknownProtocol?: 'refuse' | 'accept'
  /**
   * Keeps `digest(ctx)` and `eventDigest(ctx)`: for tests and replays, costs more than an echo
   * does. Default false.
   */
  readonly digest?: boolean
  /** Flags, or-ed: DEFEAT_CLIENT_MASK. */
  readonly options?: number
  /** True: flags that weaken the library are meant. For tests of servers. */
  readonly unsafe?: boolean
}

/**
 * A flag of `options`: frames of a client are masked with 0, so that what is written is what a
 * server's tests see on the wire. Refused without `unsafe: true`: the key must not be known
 * beforehand (RFC 6455 10.3).
 * @see seed: LWS_SERVER_OPTION_DEFEAT_CLIENT_MASK
 */
export const DEFEAT_CLIENT_MASK = 1

/** Every option that is no limit. */
const OPTION_NAMES: ReadonlySet<string> = new Set([
  'host',
  'protocols',
  'port',
  'address',
  'path',
  'gid',
  'uid',
  'on',
  'onError',
  'allowedOrigins',
  'unknownProtocol',
  'digest',
  'options',
  'unsafe',
] satisfies (keyof ContextOptions)[])

const HOST_METHODS = ['now', 'wallClock', 'randomFill', 'hostname']
const IO_METHODS = [
  ...['createBuffer', 'freeBuffer', 'listen', 'accept', 'recv', 'send', 'sendv', 'pending'],
  ...['shutdown', 'close', 'socketError', 'localAddress', 'peerAddress'],
]

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

/** @throws UsageError for what cannot be right */
export function checkOptions(options: ContextOptions): void {
  lookAt('ERR_EXTPOLL_OPTIONS', 'createContext() could not read one of its options', () => {
    checkNames(options)
    checkHost(options)
    checkListen(options)
    checkIds(options)
    checkFlags(options)
    checkRest(options)
  })
}

function checkNames(options: ContextOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new UsageError(
      'ERR_EXTPOLL_OPTIONS',
      'createContext takes an object: { host, port, protocols }',
    )
  // A misspelt limit would be a limit that is not there.
  for (const name of Object.keys(options))
    if (!OPTION_NAMES.has(name) && !Object.hasOwn(limits, name))
      throw new UsageError(
        'ERR_EXTPOLL_OPTIONS',
        `createContext has no option ${JSON.stringify(name)}; see ContextOptions for the names`,
      )
}

function checkHost(options: ContextOptions): void {
  const host: unknown = options.host
  if (!isObject(host) || !isObject(host['io']))
    throw new UsageError(
      'ERR_EXTPOLL_HOST',
      'host must be a Host: epollHost(), rawHost(), fakePoller().host, or your own',
    )
  checkMethods('host', host, HOST_METHODS)
  checkMethods('host.io', host['io'], IO_METHODS)
}

function checkMethods(
  what: string,
  object: Record<string, unknown>,
  methods: readonly string[],
): void {
  for (const method of methods)
    if (typeof object[method] !== 'function')
      throw new UsageError('ERR_EXTPOLL_HOST', `${what}.${method} must be a function`)
}

function checkListen({ port, path, address }: ContextOptions): void {
  if (port !== undefined && path !== undefined)
    throw new UsageError('ERR_EXTPOLL_LISTEN', 'give a port or a path to listen on, not both')
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new UsageError(
      'ERR_EXTPOLL_LISTEN',
      `port must be a whole number from 0 to 65535, not ${shown(port)}`,
    )
  if (path !== undefined && (typeof path !== 'string' || path === '' || path.includes('\0')))
    throw new UsageError('ERR_EXTPOLL_LISTEN', 'path must be the path of a Unix socket')
  if (address !== undefined && typeof address !== 'string')
    throw new UsageError('ERR_EXTPOLL_LISTEN', 'address must be an IPv4 or IPv6 address in text')
}

function checkRest({ unknownProtocol, onError, digest, on }: ContextOptions): void {
  if (unknownProtocol !== undefined && !['refuse', 'accept'].includes(unknownProtocol))
    throw new UsageError('ERR_EXTPOLL_OPTIONS', `unknownProtocol must be 'refuse' or 'accept'`)
  if (digest !== undefined && typeof digest !== 'boolean')
    throw new UsageError('ERR_EXTPOLL_OPTIONS', 'digest must be true or false')
  if (on !== undefined && !isObject(on))
    throw new UsageError('ERR_EXTPOLL_OPTIONS', 'on must be an object: handlers by event name')
  // Looked at as a whole, so that one that cannot be read says so before there is a context.
  Object.entries(on ?? {})
  if (onError !== undefined && typeof onError !== 'function')
    throw new UsageError('ERR_EXTPOLL_OPTIONS', 'onError must be a function')
}

function checkFlags({ options = 0, unsafe = false }: ContextOptions): void {
  if (options !== 0 && options !== DEFEAT_CLIENT_MASK)
    throw new UsageError('ERR_EXTPOLL_OPTIONS', 'options must be 0 or DEFEAT_CLIENT_MASK')
  if (typeof unsafe !== 'boolean')
    throw new UsageError('ERR_EXTPOLL_OPTIONS', 'unsafe must be true or false')
  if (options !== 0 && !unsafe)
    throw new UsageError(
      'ERR_EXTPOLL_UNSAFE',
      'DEFEAT_CLIENT_MASK is for tests: say unsafe: true if you mean it',
    )
}

function checkIds({ host, gid, uid }: ContextOptions): void {
  if (gid === undefined && uid === undefined) return
  for (const id of [gid, uid])
    if (id !== undefined && !(Number.isInteger(id) && id >= 0 && id < 2 ** 32 - 1))
      throw new UsageError(
        'ERR_EXTPOLL_PRIVILEGES',
        `gid and uid must be whole numbers from 0, not ${shown(id)}`,
      )
  if (uid !== undefined && gid === undefined)
    throw new UsageError(
      'ERR_EXTPOLL_PRIVILEGES',
      'uid without gid would keep the group and the supplementary groups: give both',
    )
  if (host.dropPrivileges === undefined)
    throw new UsageError(
      'ERR_EXTPOLL_PRIVILEGES',
      'this host cannot change gid and uid; leave them out, or use epollHost() or rawHost()',
    )
}

/** The policy behind `allowedOrigins`. */
export function originPolicy(allowed: ContextOptions['allowedOrigins']): OriginPolicy {
  if (allowed === undefined)
    return (origin: string, request: UpgradeRequest) => isSameOrigin(origin, request.host)
  if (allowed === 'any') return () => true
  if (typeof allowed === 'function') return allowed
  const listed = lookAt('ERR_EXTPOLL_OPTIONS', ORIGINS, () => listOf(allowed))
  if (listed !== null) {
    const origins = new Set(listed)
    return (origin) => origins.has(origin.toLowerCase())
  }
  throw new UsageError('ERR_EXTPOLL_OPTIONS', ORIGINS)
}

const ORIGINS = "allowedOrigins must be 'any', an array of origins, or a function"

/** The origins in lower case; null for what is no list of text, a hole included. */
function listOf(allowed: unknown): string[] | null {
  if (!Array.isArray(allowed)) return null
  const origins: string[] = []
  for (const origin of allowed as unknown[]) {
    if (typeof origin !== 'string') return null
    origins.push(origin.toLowerCase())
  }
  return origins
}
