/** `clientConnect`: the second role, from the name to CLIENT_ESTABLISHED. */
import { addAddresses, beginConnecting } from '../client/attempts.js'
import { failDial } from '../client/failing.js'
import { beginResolving } from '../client/names.js'
import { Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { Dial, type DialTarget } from '../connection/dial.js'
import { CLIENT } from '../connection/role.js'
import { contextOf, enter, leave } from '../context/bracket.js'
import { type ContextState } from '../context/context-state.js'
import { UsageError } from '../errors.js'
import { type Context, type Wsi } from '../protocol/protocol-types.js'
import { type SocketAddress } from '../socket/socket-io.js'
import { type ClientOptions, isAddress, resolveTarget } from './client-options.js'

const NO_PEER: SocketAddress = { name: '', address: '', port: 0, family: '' }

/**
 * Begins a connection, and never waits: names are resolved, addresses tried side by side, a proxy
 * and the server asked as their answers come, each phase within its limit. Every descriptor of the
 * way is announced; the one that connects becomes the connection's.
 *
 * ```ts
 * const wsi = clientConnect(ctx, { url: 'ws://example.com/chat', protocol: 'chat' })
 * ```
 *
 * Messages may be written from CLIENT_ESTABLISHED on. `hangup(wsi)` gives it up before.
 * @param ctx a context that was not destroyed; it need not listen
 * @param options whom to reach and what to ask, a `url` or its parts; read at once and not kept,
 *   but for `user`, which is the connection's session object from now on
 * @returns the connection, at once; `getSocketFd` is -1 until an address answered. Exactly one of
 *   CLIENT_ESTABLISHED and CLIENT_CONNECTION_ERROR follows, never from within this call
 * @throws UsageError for options that cannot be right: a URL says where; ContextDestroyedError
 * @see RFC 6455 4.1, RFC 8305, seed: libwebsocket_client_connect
 */
export function clientConnect(ctx: Context, options: ClientOptions): Wsi {
  const core = contextOf(ctx, 'clientConnect')
  core.mustLive('clientConnect')
  const target = resolveTarget(core, options)
  const isName = target.socketPath === null && !isAddress(target.address)
  if (isName && core.io.resolver === undefined)
    throw new UsageError(
      'ERR_EXTPOLL_NO_RESOLVER',
      `clientConnect(): this host resolves no names: give an address in place of ${target.address}`,
    )
  const connection = new Connection(core, core.io, -1, 0, NO_PEER)
  connection.role = CLIENT
  connection.state = State.RESOLVING
  connection.user = options.user
  const dial = new Dial(target)
  connection.dial = dial
  enter(core, 'clientConnect', undefined)
  try {
    begin(core, connection, dial, isName)
    dial.returned = true
  } finally {
    leave(core, 'clientConnect', connection)
  }
  return connection.wsi
}

function begin(core: ContextState, connection: Connection, dial: Dial, isName: boolean): void {
  const { target } = dial
  const full = core.connectionCount >= core.limits.maxConnections
  core.connectionCount++
  core.dialling.add(connection)
  if (full) failDial(core, connection, dial, 'TOO_MANY_CONNECTIONS')
  else if (isName) beginResolving(core, connection, dial)
  else {
    addAddresses(core, dial, [addressOf(target)])
    beginConnecting(core, connection, dial)
  }
}

function addressOf({ socketPath, address, port }: DialTarget): SocketAddress {
  if (socketPath !== null) return { name: socketPath, address: '', port: 0, family: 'Unix' }
  return { name: '', address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' }
}
