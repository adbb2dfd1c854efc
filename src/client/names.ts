/**
 * A name's addresses: both families asked for at once, IPv6 given a head start.
 * Source: RFC 8305 3; answers come through the resolver's descriptor.
 */
import { Connection, type Core } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline } from '../connection/deadline.js'
import { type Dial, ResolverEntry } from '../connection/dial.js'
import { errnoName } from '../poll/libuv-types.js'
import { type ResolverAnswer, type SocketAddress } from '../socket/socket-io.js'
import { addAddresses, beginConnecting, tryNext } from './attempts.js'
import { failDial } from './failing.js'

/** @returns nothing; where no resolver can be had the connection fails */
export function beginResolving(core: Core, connection: Connection, dial: Dial): void {
  connection.stateDeadlineMs = core.now() + core.limits.resolveTimeoutMs
  armDeadline(core, connection)
  const entry = resolverOf(core)
  if (typeof entry === 'string') {
    failDial(core, connection, dial, 'NAME_UNKNOWN', entry)
    return
  }
  const { address, family } = dial.target
  for (const one of family === 0 ? ([6, 4] as const) : [family]) {
    const id = entry.nextId++
    const result = core.io.resolver!.start(entry.fd, id, address, one)
    if (result < 0) {
      dial.lookupErrors.push(`IPv${one}: ${errnoName(result)}`)
      continue
    }
    entry.waiting.set(id, { connection, family: one })
    dial.lookups.add(id)
  }
  if (dial.lookups.size === 0) failDial(core, connection, dial, 'NAME_UNKNOWN')
}

/** Opened and announced with the first name. @returns why there is none */
function resolverOf(core: Core): ResolverEntry | string {
  if (core.resolver !== null) return core.resolver
  const fd = core.io.resolver!.open()
  if (fd < 0) return `no resolver: ${errnoName(fd)}`
  const entry = new ResolverEntry(fd, core.nextGen())
  try {
    core.join(entry)
  } catch (refusal) {
    core.io.resolver!.close(fd)
    core.report(refusal)
    return 'the poll set refused the resolver'
  }
  core.resolver = entry
  return entry
}

/** Answers of one call at most; the descriptor stays readable for the rest. */
const ANSWERS_PER_CALL = 64

/** The resolver's descriptor is readable. Answers that nobody waits for are dropped. */
export function serviceResolver(core: Core, entry: ResolverEntry): boolean {
  for (let count = 0; count < ANSWERS_PER_CALL; count++) {
    const answer = core.io.resolver!.take(entry.fd)
    if (answer === null) return false
    const asked = entry.waiting.get(answer.id)
    entry.waiting.delete(answer.id)
    const connection = asked?.connection
    if (asked === undefined || !(connection instanceof Connection)) continue
    const { dial } = connection
    if (dial === null) continue
    if (dial.lookups.delete(answer.id)) takeAnswer(core, connection, dial, asked.family, answer)
    if (core.resolver !== entry) return false
  }
  return true
}

function takeAnswer(
  core: Core,
  connection: Connection,
  dial: Dial,
  family: 4 | 6,
  { addresses, error }: ResolverAnswer,
): void {
  const { port } = dial.target
  const found = addresses
    .filter((address) => address.includes(':') === (family === 6))
    .map((address): SocketAddress => ({ name: '', address, port, family: `IPv${family}` }))
  if (found.length === 0) dial.lookupErrors.push(`IPv${family}: ${error || 'no address'}`)
  addAddresses(core, dial, found)
  const waitsForOther = dial.lookups.size > 0
  if (connection.state === State.CONNECTING) {
    // The last address may have failed while this answer was under way.
    if (dial.attempts.size === 0 || dial.stepMs === 0) tryNext(core, connection, dial)
  } else if (dial.addresses.length === 0) {
    if (!waitsForOther) failDial(core, connection, dial, 'NAME_UNKNOWN')
  } else if (family === 4 && waitsForOther && core.limits.resolutionDelayMs > 0) {
    dial.stepMs = core.now() + core.limits.resolutionDelayMs
    armDeadline(core, connection)
  } else {
    beginConnecting(core, connection, dial)
  }
}
