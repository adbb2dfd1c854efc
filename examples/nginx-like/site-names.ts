/**
 * The names this server answers to: what stands in the Host of a request must be one of them.
 *
 * A page of elsewhere can have its own name lead to 127.0.0.1 once it is loaded (DNS rebinding),
 * and would then be of the same origin as this server; what it cannot do is to send another Host.
 * The port does not count: a tunnel may have another one. Source: RFC 9110 7.2 and 15.5.20.
 */
import { isIPv6 } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import type { Refusal, RequestHead } from 'extpoll'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']
/** To listen there is to listen on every address of the machine. */
const EVERYWHERE = ['0.0.0.0', '[::]']

/** An address or a name as a URL has it, and browsers send it: `0` is 0.0.0.0. */
export function urlHost(host: string): string {
  const typed = isIPv6(host) ? `[${host}]` : host
  try {
    return new URL(`http://${typed}/`).hostname
  } catch {
    // A zone of IPv6, which no URL has.
    return typed.toLowerCase()
  }
}

/** Can nobody reach an address but this machine itself? */
export function isLoopback(address: string): boolean {
  return /^(127\.|\[::1\]$|\[::ffff:7f)/.test(urlHost(address))
}

/**
 * @param host the name or address the server was started under
 * @param address where that led
 * @returns whether a request is for this server
 */
export function siteNames(host: string, address: string): (request: RequestHead) => boolean {
  const own = EVERYWHERE.includes(urlHost(address)) ? machineNames() : []
  const names = new Set([...LOOPBACK, host.toLowerCase(), ...[host, address, ...own].map(urlHost)])
  return ({ headers, repeated }) => {
    const [, name] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(headers.get('host') ?? '') ?? []
    return name !== undefined && !repeated.has('host') && names.has(name.toLowerCase())
  }
}

function machineNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((some) => some ?? [])
  return [hostname(), ...addresses.map(({ address }) => address)]
}

/** What the others get. */
export const MISDIRECTED: Refusal = {
  status: 421,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
  body: 'This server does not go by that name; start it with --host NAME to allow it.\n',
}
