/**
 * A client connection on its way: whom it wants, what was tried, what waits. Data, and the
 * descriptors of the poll set that only clients have; what happens to them is in src/client/.
 * The Connection itself is not known down here.
 */
import { type FaultName } from '../errors.js'
import { POLLIN, POLLOUT } from '../poll/pollfd.js'
import { type ProtocolEntry } from '../protocol/protocol-table.js'
import { type AddressAttempt } from '../protocol/protocol-types.js'
import { type SocketAddress } from '../socket/socket-io.js'
import { type UpgradeOffer } from '../wire/client-handshake.js'
import { type ResponseHead } from '../wire/response-head.js'
import { State, type StateNumber } from './connection-state.js'
import { TimedEntry } from './timed-entry.js'

/** A connection, as far as it is known here. */
export interface DialOwner extends TimedEntry {
  readonly dial: Dial | null
}

/** One address being tried: it waits for POLLOUT (C15). */
export class Attempt extends TimedEntry {
  readonly connection: DialOwner
  readonly address: SocketAddress
  readonly row: AddressAttempt

  constructor(
    connection: DialOwner,
    fd: number,
    gen: number,
    address: SocketAddress,
    row: AddressAttempt,
  ) {
    super(fd, gen)
    this.connection = connection
    this.address = address
    this.row = row
  }

  override interest(): number {
    return POLLOUT
  }
}

/** The descriptor of all names of a context: readable while answers wait. */
export class ResolverEntry extends TimedEntry {
  /** Who waits for which answer. */
  readonly waiting = new Map<number, { connection: DialOwner; family: 4 | 6 }>()
  nextId = 1

  override interest(): number {
    return POLLIN
  }
}

/** Whom to reach, checked. */
export interface DialTarget {
  /** For people: `ws://example.com:9000/chat`. */
  readonly shown: string
  /** Name or address of the first hop: the proxy's, where there is one. '' for a Unix socket. */
  readonly address: string
  readonly port: number
  readonly socketPath: string | null
  readonly family: 0 | 4 | 6
  /** What a proxy is asked for, and with whose word; null without one. */
  readonly proxy: { readonly authority: string; readonly credentials: string | null } | null
  readonly offer: UpgradeOffer
  /** Who is told while the server has not chosen. */
  readonly protocol: ProtocolEntry
}

export class Dial {
  readonly target: DialTarget
  /** Addresses not tried yet, in the order to try them. */
  addresses: SocketAddress[] = []
  /** Addresses that ever were in that list. */
  known = 0
  readonly attempts = new Set<Attempt>()
  /** Everything tried so far, oldest first. */
  readonly rows: AddressAttempt[] = []
  /** Names asked for and not answered. */
  readonly lookups = new Set<number>()
  /** Answers of the resolver, for people: `IPv6: ENOTFOUND`. */
  readonly lookupErrors: string[] = []
  /** When the next address is to be tried; 0 = not by time. */
  stepMs = 0
  key = ''
  /** Interim answers so far. */
  interim = 0
  /** How far it got when it failed, and why. */
  failedIn: StateNumber = State.RESOLVING
  detail = ''
  /** clientConnect returned: what fails may be told. */
  returned = false
  /** What failed before that; told with the next deadline. */
  early: { readonly cause: FaultName; readonly detail: string } | null = null
  response: ResponseHead | null = null

  constructor(target: DialTarget) {
    this.target = target
  }
}
