/**
 * Where connections wait to be accepted, in a simulated kernel.
 *
 * Source: listen(2); Linux include/net/sock.h (sk_acceptq_is_full).
 */
import type { SocketAddress } from '../../src/index.js'
import type { Endpoint } from './endpoint.js'

/** A listening descriptor and the connections that wait in it. */
export interface Listener {
  readonly kind: 'listener'
  fd: number
  readonly address: SocketAddress
  readonly backlog: number
  readonly queue: Endpoint[]
  /** Whose request found the queue full: they ask again, and get in when there is room. */
  readonly late: Endpoint[]
}

/** Does one who connects to `b` mean the listener at `a`? */
export function sameAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a.port === b.port && a.name === b.name && (a.family === 'Unix') === (b.family === 'Unix')
}

/** A queue holds one more than was asked for (sk_acceptq_is_full). */
export function isFull({ queue, backlog }: Listener): boolean {
  return queue.length > backlog
}
