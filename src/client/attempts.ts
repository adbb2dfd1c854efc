/**
 * Addresses tried one after the other and side by side, until one answers.
 *
 * Each has a descriptor of its own in the poll set; the first that connects becomes the
 * connection's, the others get DEL. Source: RFC 8305 4 (sorting) and 5 (attempts).
 */
import { formatAddress } from '../connection/connect-failure.js'
import { Connection, type Core } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline } from '../connection/deadline.js'
import { Attempt, type Dial } from '../connection/dial.js'
import { dropAttempt, releaseDial } from '../connection/dial-end.js'
import { errnoName } from '../poll/libuv-types.js'
import { type SocketAddress, WOULD_BLOCK } from '../socket/socket-io.js'
import { askServer } from './asking.js'
import { failDial } from './failing.js'

/** The first address is known: from now on connectTimeoutMs counts. */
export function beginConnecting(core: Core, connection: Connection, dial: Dial): void {
  connection.move('resolved')
  connection.stateDeadlineMs = core.now() + core.limits.connectTimeoutMs
  tryNext(core, connection, dial)
}

/**
 * More addresses of one family: the families take turns, IPv6 first. Those beyond
 * maxConnectAddresses, and those known already, are left out.
 */
export function addAddresses(core: Core, dial: Dial, found: readonly SocketAddress[]): void {
  const fresh: SocketAddress[] = []
  for (const address of found) {
    const key = formatAddress(address)
    const known =
      dial.rows.some((row) => row.address === key) ||
      [...dial.addresses, ...fresh].some((other) => formatAddress(other) === key)
    if (known || dial.known >= core.limits.maxConnectAddresses) continue
    dial.known++
    fresh.push(address)
  }
  const all = [...dial.addresses, ...fresh]
  const six = all.filter(({ family }) => family === 'IPv6')
  const others = all.filter(({ family }) => family !== 'IPv6')
  // Who was tried last decides whose turn it is.
  const sixWasLast = dial.rows.at(-1)?.address.startsWith('[') === true
  const [first, second] = sixWasLast ? [others, six] : [six, others]
  dial.addresses = []
  for (let index = 0; index < Math.max(first.length, second.length); index++) {
    if (index < first.length) dial.addresses.push(first[index]!)
    if (index < second.length) dial.addresses.push(second[index]!)
  }
}

/** Begins the next address; one that fails at once is followed by the next at once. */
export function tryNext(core: Core, connection: Connection, dial: Dial): void {
  if (dial.early !== null) return
  dial.stepMs = 0
  while (connection.state === State.CONNECTING) {
    const address = dial.addresses.shift()
    if (address === undefined) {
      if (dial.attempts.size === 0 && dial.lookups.size === 0)
        failDial(core, connection, dial, 'CONNECT_FAILED')
      break
    }
    if (begin(core, connection, dial, address)) {
      if (dial.addresses.length > 0) dial.stepMs = core.now() + core.limits.connectAttemptDelayMs
      break
    }
  }
  armDeadline(core, connection)
}

/** @returns false where it failed at once */
function begin(core: Core, connection: Connection, dial: Dial, address: SocketAddress): boolean {
  const row = { address: formatAddress(address), result: '' }
  dial.rows.push(row)
  const fd = core.io.connect(address)
  if (fd < 0) {
    row.result = errnoName(fd)
    return false
  }
  const attempt = new Attempt(connection, fd, core.nextGen(), address, row)
  try {
    core.join(attempt)
  } catch (refusal) {
    // The keeper of the poll array refused it: this fd only (C9).
    row.result = 'refused by the poll set'
    core.io.close(fd, false)
    core.report(refusal)
    return false
  }
  dial.attempts.add(attempt)
  return true
}

/** Readiness of an attempt's descriptor: a hint, as always. */
export function serviceAttempt(core: Core, attempt: Attempt): void {
  const { address, row, connection } = attempt
  if (!(connection instanceof Connection)) return
  const { dial } = connection
  if (dial === null || !dial.attempts.has(attempt)) return
  const result = core.io.connectResult(attempt.fd)
  if (result === WOULD_BLOCK) return
  if (result < 0) {
    row.result = errnoName(result)
    dropAttempt(core, core.io, dial, attempt)
    // What failed makes room at once (RFC 8305 5).
    tryNext(core, connection, dial)
    return
  }
  dial.attempts.delete(attempt)
  core.takePlace(attempt, connection)
  connection.peer = address
  releaseDial(core, dial)
  askServer(core, connection, dial)
}
