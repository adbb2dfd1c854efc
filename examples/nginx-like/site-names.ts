/**
 * The names this server answers to: what stands in the Host of a request must be one of them.
 *
 * A page of elsewhere can have its own name lead to 127.0.0.1 once it is loaded (DNS rebinding),
 * and would then be of the same origin as this server; what it cannot do is to send another Host.
 * The port does not count: a tunnel may have another one. Source: RFC 9110 7.2 and 15.5.20.
 */
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Refusal, RequestHead } from 'extpoll'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']
/** To listen there is to listen on every address of the machine. */
const EVERYWHERE = ['0.0.0.0', '::']

/** An address or a name as a URL has it. */
export function urlHost(host: string): string {
  return (isIPv6(host) ? `[${host}]` : host).toLowerCase()
}

/**
 * @param host the name or address the server was started under
 * @returns whether a request is for this server
 */
export function siteNames(host: string): (request: RequestHead) => boolean {
  const everywhere = EVERYWHERE.includes(host) ? Object.values(networkInterfaces()).flat() : []
  const own = everywhere.flatMap((one) => (one === undefined ? [] : [urlHost(one.address)]))
  const names = new Set([...LOOPBACK, urlHost(host), ...own])
  return ({ headers, repeated }) => {
    const [, name] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(headers.get('host') ?? '') ?? []
    return name !== undefined && !repeated.has('host') && names.has(name.toLowerCase())
  }
}

/** What the others get. */
export const MISDIRECTED: Refusal = {
  status: 421,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
  body: 'This server does not go by that name; start it with --host NAME to allow it.\n',
}
