/**
 * Questions about a context or a connection. They change nothing, and are legal everywhere (C8).
 */
import { Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { connectionOf, contextOf } from '../context/bracket.js'
import { type Context, type Protocol, type Wsi } from '../protocol/protocol-types.js'
import { type SocketAddress } from '../socket/socket-io.js'
import { OPCODE_BINARY } from '../wire/opcode.js'

const UNKNOWN_ADDRESS: SocketAddress = { name: '', address: '', port: 0, family: '' }

/**
 * The fd the host knows; -1 before a client has one, and once the connection is over.
 * @see seed: libwebsocket_get_socket_fd
 */
export function getSocketFd(wsi: Wsi): number {
  const connection = connectionOf(wsi, 'getSocketFd')
  return connection.state === State.ENDED ? -1 : connection.fd
}

/** The message in hand is binary; false outside RECEIVE. */
export function isBinary(wsi: Wsi): boolean {
  return connectionOf(wsi, 'isBinary').messageOpcode === OPCODE_BINARY
}

/** The RECEIVE in hand ends its message: always, unless `delivery` is 'stream'. */
export function isFinalFragment(wsi: Wsi): boolean {
  return connectionOf(wsi, 'isFinalFragment').finalFragment
}

/**
 * Bytes still to come of the frame in hand; 0 when the RECEIVE in hand ends it.
 * @see seed: libwebsockets_remaining_packet_payload
 */
export function remainingPacketPayload(wsi: Wsi): number {
  return connectionOf(wsi, 'remainingPacketPayload').frameRemaining
}

/** Bytes written and not yet taken by the kernel. */
export function getBufferedBytes(wsi: Wsi): number {
  const connection = connectionOf(wsi, 'getBufferedBytes')
  return connection.queuedBytes + connection.corkedBytes
}

/** The context of a connection: what the handlers form is not given. */
export function getContext(wsi: Wsi): Context {
  return connectionOf(wsi, 'getContext').core.handle
}

/**
 * The context's Protocol object of a connection; null before one was selected.
 * @see seed: libwebsockets_get_protocol
 */
export function getProtocol(wsi: Wsi): Protocol | null {
  return connectionOf(wsi, 'getProtocol').protocol
}

/**
 * The peer's address, by fd; known from accept until CLOSED returned (C3). Never asks a resolver.
 * @returns empty strings where unknown
 * @see seed: libwebsockets_get_peer_addresses
 */
export function getPeerAddresses(ctx: Context, fd: number): SocketAddress {
  const core = contextOf(ctx, 'getPeerAddresses')
  const entry = core.table.entries.get(fd) ?? (core.ending?.fd === fd ? core.ending : undefined)
  return entry instanceof Connection ? entry.peer : UNKNOWN_ADDRESS
}

/** Where the context listens: the port that `port: 0` found. Null without a listener. */
export function getListenAddress(ctx: Context): SocketAddress | null {
  const { listener } = contextOf(ctx, 'getListenAddress')
  return listener === null ? null : listener.io.localAddress(listener.fd)
}

/** This machine's name, from the host. @see seed: libwebsocket_canonical_hostname */
export function canonicalHostname(ctx: Context): string {
  return contextOf(ctx, 'canonicalHostname').host.hostname()
}

/** One descriptor of the poll set. */
export interface PollFdInfo {
  readonly fd: number
  /** The mask the host was last told. */
  readonly events: number
  readonly gen: number
}

/**
 * The poll set as the host was told it, in ADD order: for hosts that begin late, and for looking.
 */
export function pollFds(ctx: Context): PollFdInfo[] {
  const core = contextOf(ctx, 'pollFds')
  return core.table.entries.list().map(({ fd, mask, gen }) => ({ fd, events: mask, gen }))
}
