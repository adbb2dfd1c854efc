/**
 * `ws://user:password@host:port/path?query`, taken apart; what is wrong is told with its place.
 *
 * Stricter than a browser's: nothing is repaired but characters outside of ASCII in a path, which
 * are percent-encoded. Source: RFC 6455 3, RFC 3986 3.
 */
import { UsageError } from '../errors.js'

export interface UrlParts {
  readonly scheme: string
  /** `user:password`, decoded; null where there is none. */
  readonly credentials: string | null
  /** Name or address; IPv6 without its brackets. */
  readonly address: string
  /** Null: the scheme's own. */
  readonly port: number | null
  /** Path and query; '/' where there is none. */
  readonly target: string
}

const PCT = /%(?![0-9A-Fa-f]{2})/
const NOT_IN_HOST = /[^A-Za-z0-9\-._~!$&'()*+,;=]/
const NOT_IN_TARGET = /[\x00-\x20"#<>\\^`{|}\x7f]/
const HALF_A_CHARACTER = /\p{Surrogate}/u

/**
 * @param schemes allowed, in lower case
 * @param call who asks, for the message
 * @throws UsageError ERR_EXTPOLL_URL, whose message shows where
 */
export function parseUrl(text: string, schemes: readonly string[], call: string): UrlParts {
  const refuse = (at: number, why: string): never => refuseAt(text, at, why, call)
  const [, scheme = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text) ?? []
  if (!schemes.includes(scheme.toLowerCase()))
    refuse(0, `begin with ${schemes.map((name) => `${name}://`).join(' or ')}`)
  const start = scheme.length + 3
  const fragment = text.indexOf('#')
  if (fragment !== -1) refuse(fragment, 'a WebSocket URL has no fragment')
  const slash = text.slice(start).search(/[/?]/)
  const end = slash === -1 ? text.length : start + slash
  const signAt = text.lastIndexOf('@', end - 1)
  const hostStart = signAt >= start ? signAt + 1 : start
  const [address, portStart] =
    text[hostStart] === '['
      ? bracketed(text, hostStart, end, refuse)
      : named(text, hostStart, end, refuse)
  return {
    scheme: scheme.toLowerCase(),
    credentials: signAt >= start ? decode(text, start, signAt, refuse) : null,
    address,
    port: parsePort(text, portStart, end, refuse),
    target: parseTarget(text, end, refuse),
  }
}

type Refuse = (at: number, why: string) => never

function refuseAt(text: string, at: number, why: string, call: string): never {
  const shown = at >= text.length ? 'its end' : JSON.stringify(text.slice(at, at + 16))
  throw new UsageError(
    'ERR_EXTPOLL_URL',
    `${call}(): ${JSON.stringify(text)} is no URL: at ${at} (${shown}): ${why}`,
  )
}

function bracketed(text: string, at: number, end: number, refuse: Refuse): [string, number] {
  const close = text.indexOf(']', at)
  if (close === -1 || close >= end) refuse(at, 'the bracket of an IPv6 address does not close')
  const inside = text.slice(at + 1, close)
  if (!/^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%25[A-Za-z0-9\-._~]+)?$/.test(inside))
    refuse(at + 1, 'in brackets stands an IPv6 address')
  return [inside.replace('%25', '%'), close + 1]
}

function named(text: string, at: number, end: number, refuse: Refuse): [string, number] {
  const colon = text.indexOf(':', at)
  const stop = colon === -1 || colon > end ? end : colon
  const host = text.slice(at, stop)
  if (host === '') refuse(at, 'the host is missing')
  const bad = host.search(NOT_IN_HOST)
  if (bad !== -1)
    refuse(at + bad, 'no such character may stand in a host; write other alphabets in punycode')
  if (host.length > 253) refuse(at + 253, 'a host has at most 253 characters')
  return [host.toLowerCase(), stop]
}

function parsePort(text: string, at: number, end: number, refuse: Refuse): number | null {
  if (at === end) return null
  if (text[at] !== ':') refuse(at, 'a port or a path stands here')
  const digits = text.slice(at + 1, end)
  if (digits === '') return null
  const port = Number(digits)
  if (!/^[0-9]{1,5}$/.test(digits) || port < 1 || port > 65_535)
    refuse(at + 1, 'a port is a whole number from 1 to 65535')
  return port
}

function parseTarget(text: string, at: number, refuse: Refuse): string {
  const encoded = checkTarget(text.slice(at), (bad, why) => refuse(at + bad, why))
  return encoded.startsWith('/') ? encoded : `/${encoded}`
}

/** Path and query as they may be sent. @param refuse hears where a character may not stand */
export function checkTarget(text: string, refuse: Refuse): string {
  const percent = text.search(PCT)
  if (percent !== -1) refuse(percent, 'two hexadecimal digits follow a %')
  const bad = text.search(NOT_IN_TARGET)
  if (bad !== -1) refuse(bad, 'this character is written with a % and two hexadecimal digits')
  const half = text.search(HALF_A_CHARACTER)
  if (half !== -1) refuse(half, 'half a character')
  return text.replace(/[^\x20-\x7e]+/g, encodeURIComponent)
}

function decode(text: string, start: number, end: number, refuse: Refuse): string {
  const part = text.slice(start, end)
  const bad = part.search(PCT)
  if (bad !== -1) refuse(start + bad, 'two hexadecimal digits follow a %')
  try {
    const [user = '', ...password] = part.split(':')
    const decoded = decodeURIComponent(user)
    if (decoded.includes(':')) refuse(start, 'a user name has no colon (RFC 7617 2)')
    return `${decoded}:${decodeURIComponent(password.join(':'))}`
  } catch (error) {
    if (error instanceof UsageError) throw error
    return refuse(start, 'user and password are UTF-8')
  }
}
