/**
 * What CLIENT_CONNECTION_ERROR tells: which phase, which address, what was expected. Words only.
 */
import { faults } from '../errors.js'
import { type ConnectFailure } from '../protocol/protocol-types.js'
import { type SocketAddress } from '../socket/socket-io.js'
import { type Connection } from './connection.js'
import { State } from './connection-state.js'
import { type Dial } from './dial.js'

/** @param dial of a connection that was ended before it opened */
export function connectFailure(connection: Connection, dial: Dial): ConnectFailure {
  const { initiator = 'library', cause = 'TRANSPORT_ERROR' } = connection.closing ?? {}
  const { target, rows, response } = dial
  const phase = phaseOf(dial)
  const whom = phase === 'proxy' || phase === 'upgrading' ? formatAddress(connection.peer) : ''
  const at = whom === '' ? '' : ` (${whom})`
  const detail = detailOf(dial, phase)
  const reason = `${VERBS[phase]} ${target.shown}${at}: ${faults[cause].sentence}${detail}`
  return {
    code: 1006,
    reason,
    initiator,
    cause,
    phase,
    target: target.shown,
    attempts: rows,
    response,
  }
}

const VERBS: Readonly<Record<ConnectFailure['phase'], string>> = {
  resolving: 'resolving the name of',
  connecting: 'connecting to',
  proxy: 'asking the proxy for',
  upgrading: 'upgrading to',
}

function phaseOf({ failedIn }: Dial): ConnectFailure['phase'] {
  if (failedIn === State.RESOLVING) return 'resolving'
  if (failedIn === State.CONNECTING) return 'connecting'
  return failedIn === State.PROXY ? 'proxy' : 'upgrading'
}

function detailOf({ detail, lookupErrors, rows }: Dial, phase: string): string {
  if (detail !== '') return ` (${detail})`
  if (phase === 'resolving' && lookupErrors.length > 0) return ` (${lookupErrors.join(', ')})`
  if (phase !== 'connecting' || rows.length === 0) return ''
  const tried = rows.map(({ address, result }) => `${address} ${result || 'no answer'}`)
  return ` (tried ${tried.join(', ')})`
}

/** `127.0.0.1:9000`, `[::1]:9000`, or a Unix socket's path. */
export function formatAddress({ family, name, address, port }: SocketAddress): string {
  if (family === 'Unix') return name
  return address.includes(':') ? `[${address}]:${port}` : address === '' ? '' : `${address}:${port}`
}
