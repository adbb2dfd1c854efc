/** What `clientConnect` takes, checked, and made into whom to reach and what to ask. */
import { type DialTarget } from '../connection/dial.js'
import { type ContextState } from '../context/context-state.js'
import { lookAt, UsageError } from '../errors.js'
import { type ProtocolEntry } from '../protocol/protocol-table.js'
import { Reason } from '../protocol/callback-reason.js'
import { basicAuthorization, originHeaderOf } from '../wire/client-handshake.js'
import { checkField } from '../wire/http-answer.js'
import { checkTarget, parseUrl, type UrlParts } from '../wire/websocket-url.js'

/** Options of `clientConnect`: a URL, or its parts. */
export interface ClientOptions {
  /**
   * `ws://host:port/path?query`, perhaps with `user:password@`, which is sent as Basic
   * authorization. In place of `address`, `port` and `path`.
   */
  readonly url?: string
  /** A name, or an IPv4 or IPv6 address in text. */
  readonly address?: string
  /** 1 to 65535. Default 80. */
  readonly port?: number
  /** A Unix socket to connect to. `url`, `address` and `port` only make the Host header then. */
  readonly socketPath?: string
  /** 0: plain. 1 and 2 (self-signed certificates allowed) are refused: there is no TLS yet. */
  readonly ssl?: 0 | 1 | 2
  /** Path and query. Default '/'. */
  readonly path?: string
  /** The Host header. Default: the address, with the port where it is not 80. */
  readonly host?: string
  /** The Origin header (Sec-WebSocket-Origin in versions 8 and 7). Default: none. */
  readonly origin?: string
  /** Subprotocols to offer, in order, each a protocol of the context; the server picks. */
  readonly protocol?: string | readonly string[]
  /** 13, 8 or 7; -1, the default, is the latest. */
  readonly ietfVersion?: -1 | 13 | 8 | 7
  /** More headers of the request. */
  readonly headers?: Readonly<Record<string, string>>
  /** An HTTP proxy that is asked for a tunnel: `http://user:password@host:port`. */
  readonly proxy?: string
  /** Addresses of this IP version only. Default 0: both, by RFC 8305. */
  readonly family?: 0 | 4 | 6
  /** The connection's session object; without it `createSession` makes one. */
  readonly user?: unknown
}

const NAMES: ReadonlySet<string> = new Set([
  'url',
  'address',
  'port',
  'socketPath',
  'ssl',
  'path',
  'host',
  'origin',
  'protocol',
  'ietfVersion',
  'headers',
  'proxy',
  'family',
  'user',
] satisfies (keyof ClientOptions)[])

const DEFAULT_PORT = 80
const PROXY_PORT = 80
/** What the library decides alone. */
const OWNED =
  /^(?:host|upgrade|connection|origin|content-length|transfer-encoding|sec-websocket-.*)$/

function refuse(why: string): never {
  throw new UsageError('ERR_EXTPOLL_CLIENT_OPTIONS', `clientConnect(): ${why}`)
}

/** An address in text, and no name. */
export function isAddress(text: string): boolean {
  if (text.includes(':')) return true
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)
}

/** @throws UsageError for what cannot be right */
export function resolveTarget(core: ContextState, options: ClientOptions): DialTarget {
  const unreadable = 'clientConnect(): an option could not be read, or is of a wrong kind'
  return lookAt('ERR_EXTPOLL_CLIENT_OPTIONS', unreadable, () => targetOf(core, options))
}

function targetOf(core: ContextState, options: ClientOptions): DialTarget {
  checkShape(options)
  const { socketPath = null, proxy, family = 0, ietfVersion = -1 } = options
  const parts = partsOf(options)
  const port = parts.port ?? DEFAULT_PORT
  const authority = `${inUrl(parts.address)}:${port}`
  const shownHost = port === DEFAULT_PORT ? inUrl(parts.address) : authority
  const offered = offeredOf(options)
  const hop = proxy === undefined ? null : parseUrl(proxy, ['http'], 'clientConnect')
  if (hop !== null && socketPath !== null) refuse('give a proxy or a socketPath, not both')
  const version = ietfVersion === -1 ? 13 : ietfVersion
  if (originHeaderOf(version) === undefined)
    refuse(`ietfVersion must be 13, 8, 7 or -1, not ${String(version)}: others frame otherwise`)
  return {
    shown: `ws://${shownHost}${parts.target}${socketPath === null ? '' : ` at ${socketPath}`}`,
    address: hop?.address ?? parts.address,
    port: hop === null ? port : (hop.port ?? PROXY_PORT),
    socketPath,
    family,
    proxy: hop === null ? null : { authority, credentials: hop.credentials },
    offer: {
      target: parts.target,
      host: options.host ?? withoutZone(shownHost),
      version,
      origin: options.origin ?? null,
      offered,
      extraLines: extraLines(options, parts),
    },
    protocol: protocolFor(core, offered),
  }
}

function checkShape(options: ClientOptions): void {
  if (typeof options !== 'object' || options === null)
    refuse('takes an object: { url } for instance')
  for (const name of Object.keys(options))
    if (!NAMES.has(name)) refuse(`there is no option ${JSON.stringify(name)}`)
  const { url, address, port, path, socketPath, family, ssl = 0 } = options
  if (ssl !== 0)
    throw new UsageError(
      'ERR_EXTPOLL_NO_TLS',
      `clientConnect(): ssl ${String(ssl)}: there is no TLS yet`,
    )
  for (const name of ['url', 'address', 'path', 'host', 'origin', 'proxy', 'socketPath'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'string')
      refuse(`${name} must be a string`)
  if (url !== undefined && (address ?? port ?? path) !== undefined)
    refuse('give a url or its parts, not both')
  if (url === undefined && address === undefined && socketPath === undefined)
    refuse('give a url, an address or a socketPath')
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535))
    refuse(`port must be a whole number from 1 to 65535, not ${String(port)}`)
  if (socketPath === '' || socketPath?.includes('\0')) refuse('socketPath must be a path')
  if (family !== undefined && ![0, 4, 6].includes(family)) refuse('family must be 0, 4 or 6')
  for (const name of ['host', 'origin'] as const)
    if (options[name] !== undefined) checkField(name, options[name])
}

function partsOf({ url, address = 'localhost', port, path = '/' }: ClientOptions): UrlParts {
  if (url !== undefined) {
    const parts = parseUrl(url, ['ws', 'wss'], 'clientConnect')
    if (parts.scheme === 'wss')
      throw new UsageError('ERR_EXTPOLL_NO_TLS', 'clientConnect(): wss: there is no TLS yet')
    return parts
  }
  const authority = address.includes(':') ? `[${address.replace('%', '%25')}]` : address
  const { address: host } = parseUrl(`ws://${authority}`, ['ws'], 'clientConnect')
  if (!path.startsWith('/'))
    refuse(`path must begin with /, not ${JSON.stringify(path.slice(0, 80))}`)
  const target = checkTarget(path, (at, why) => refuse(`path, at ${at}: ${why}`))
  return { scheme: 'ws', credentials: null, address: host, port: port ?? null, target }
}

function inUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

/** A zone is this machine's matter (RFC 6874 4). */
function withoutZone(host: string): string {
  return host.replace(/%[^\]]*\]/, ']')
}

function offeredOf({ protocol }: ClientOptions): readonly string[] {
  if (protocol === undefined) return []
  const names = typeof protocol === 'string' ? [protocol] : protocol
  if (!Array.isArray(names)) refuse('protocol must be a name or an array of names')
  if (new Set(names).size !== names.length) refuse('protocol: each name once (RFC 6455 4.1)')
  return [...(names as readonly string[])]
}

function extraLines({ headers = {} }: ClientOptions, { credentials }: UrlParts): string {
  let lines = credentials === null ? '' : `Authorization: ${basicAuthorization(credentials)}\r\n`
  for (const [name, value] of Object.entries(headers)) {
    checkField(name, value)
    if (OWNED.test(name.toLowerCase())) refuse(`headers: the library sets ${name} itself`)
    if (credentials !== null && name.toLowerCase() === 'authorization')
      refuse('headers: Authorization is that of the url already')
    lines += `${name}: ${value}\r\n`
  }
  return lines
}

/** Who hears of the connection until the server has chosen; and after, where it chooses none. */
function protocolFor(core: ContextState, offered: readonly string[]): ProtocolEntry {
  const { protocols } = core
  const known = offered.map((name) => {
    const entry = protocols.find((protocol) => protocol.name === name && name !== '')
    return entry ?? refuse(`protocol ${JSON.stringify(name)} is none of the context's protocols`)
  })
  return (
    known[0] ??
    protocols.find(({ name }) => name === '') ??
    protocols.find((protocol) => protocol.hears(Reason.CLIENT_RECEIVE)) ??
    protocols[0]!
  )
}
