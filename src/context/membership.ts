/**
 * Who is in the context: joining with ADD, leaving with DEL, counted by address where a limit asks
 * for it.
 */
import { type Connection } from '../connection/connection.js'
import { isRefusal } from '../connection/opening.js'
import { UsageError } from '../errors.js'
import { Reason } from '../protocol/callback-reason.js'
import { ACCEPT, type NetworkPeer } from '../protocol/protocol-types.js'
import { type SocketAddress } from '../socket/socket-io.js'
import { type ContextState } from './context-state.js'

/**
 * Takes a connection into the table; ADD is announced. @throws what the keeper of the poll array
 * threw (C9)
 */
export function admitConnection(core: ContextState, connection: Connection): void {
  core.table.add(connection)
  core.connectionCount++
  if (!countsPeers(core)) return
  const key = peerKey(connection.peer)
  core.connectionsByPeer.set(key, (core.connectionsByPeer.get(key) ?? 0) + 1)
}

/** Takes it out of every table; DEL is announced while the fd is open (C3). */
export function forgetConnection(core: ContextState, connection: Connection): void {
  core.dialling.delete(connection)
  core.deadlines.remove(connection)
  core.pending.delete(connection)
  core.table.remove(connection)
  core.connectionCount--
  if (countsPeers(core) && !connection.role.client) {
    const key = peerKey(connection.peer)
    const left = (core.connectionsByPeer.get(key) ?? 1) - 1
    if (left === 0) core.connectionsByPeer.delete(key)
    else core.connectionsByPeer.set(key, left)
  }
  resumeListener(core)
}

/** Is there room for one more of this peer? */
export function peerHasRoom(core: ContextState, peer: SocketAddress): boolean {
  return (
    !countsPeers(core) ||
    (core.connectionsByPeer.get(peerKey(peer)) ?? 0) < core.limits.maxConnectionsPerPeer
  )
}

/** Filters fail closed: a throw, a Promise or an answer of no known kind refuses. */
export function passesNetworkFilter(core: ContextState, fd: number, peer: SocketAddress): boolean {
  if (!core.protocols[0]!.hears(Reason.FILTER_NETWORK_CONNECTION)) return true
  const data: NetworkPeer = { ...peer, fd }
  try {
    const answer = core.callFirst(Reason.FILTER_NETWORK_CONNECTION, data, 0)
    if (answer === undefined || answer === ACCEPT || answer === 0) return true
    if (typeof answer === 'number' || isRefusal(answer)) return false
    throw new UsageError(
      'ERR_EXTPOLL_FILTER_ANSWER',
      'FILTER_NETWORK_CONNECTION answers nothing, ACCEPT, a number or { status }, and at once',
    )
  } catch (error) {
    core.report(error)
    return false
  }
}

/** A descriptor came free: a paused listener may accept again (C29). */
export function resumeListener(core: ContextState): void {
  const { listener } = core
  if (listener === null || !listener.paused || core.connectionCount >= core.limits.maxConnections)
    return
  listener.paused = false
  core.deadlines.remove(listener)
  core.touch(listener)
}

/** Does a limit on connections of one peer apply? */
export function countsPeers(core: ContextState): boolean {
  return core.limits.maxConnectionsPerPeer < core.limits.maxConnections
}

/**
 * One IPv4 address; for IPv6 one /64, which is what one subscriber gets; all of a Unix socket are
 * one peer.
 */
export function peerKey(peer: SocketAddress): string {
  if (peer.family !== 'IPv6') return `${peer.family} ${peer.address}`
  const mapped = /^::ffff:([0-9.]+)$/i.exec(peer.address)
  if (mapped !== null) return `IPv4 ${mapped[1]!}`
  return `IPv6 ${network64(peer.address)}`
}

/** The first four groups, in full. */
function network64(address: string): string {
  const [left = '', right] = address.split('%', 1)[0]!.split('::')
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const dotted = tail.at(-1)?.includes('.') === true || head.at(-1)?.includes('.') === true ? 1 : 0
  const zeros = right === undefined ? 0 : Math.max(0, 8 - dotted - head.length - tail.length)
  return [...head, ...Array.from({ length: zeros }, () => '0'), ...tail]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
