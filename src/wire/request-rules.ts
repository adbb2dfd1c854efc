/**
 * What every request must have beside being well-formed: one host, and a target that is one.
 * Source: RFC 9112 3.2, RFC 9110 7.2.
 */
import { type FaultName } from '../errors.js'
import { type RequestHead } from './request-head.js'

/** A whole http address, behind which the part from `#` on is never sent. */
const ABSOLUTE = /^https?:\/\/([^/?#]+)(?:[/?][^#]*)?$/i

/** A host and an optional port, as in RFC 9110 7.2: no user, no path, no space. */
export function isHost(host: string): boolean {
  return /^(?:[A-Za-z0-9\-._~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?$/.test(host)
}

/** Exactly one Host that is one; HTTP/1.0 may leave it out. */
export function hostFault({ minorVersion, headers, repeated }: RequestHead): FaultName | null {
  const host = headers.get('host')
  if (host === undefined) return minorVersion === 0 ? null : 'REQUEST_HOST'
  return isOneHost(host, repeated) ? null : 'REQUEST_HOST'
}

/** @param repeated the fields that came more than once */
export function isOneHost(host: string, repeated: ReadonlySet<string>): boolean {
  return isHost(host) && !repeated.has('host')
}

/** The target fits the method, and names a resource of ours. */
export function targetFault({ method, target }: RequestHead): FaultName | null {
  if (method === 'CONNECT') return 'REQUEST_CONNECT'
  if (target === '*') return method === 'OPTIONS' ? null : 'REQUEST_TARGET'
  if (target.startsWith('/')) return target.includes('#') ? 'REQUEST_TARGET' : null
  const match = ABSOLUTE.exec(target)
  return match !== null && isHost(match[1]!) ? null : 'REQUEST_TARGET'
}
