/**
 * Everything that can go wrong in a simulated world: a row for each kind.
 *
 * Data only; faults.ts decides when a kind fires, and the files beside it what it does then. The
 * name is the switch, the label of its decisions, and the name of its counter.
 */
import type { Rule } from '../checker-rule.js'

/** What a kind may do to the connections it meets. */
export type Harm =
  /** Everything still arrives, in order. */
  | 'none'
  /** The connection it meets may end before its time, or be refused. */
  | 'connection'
  /** Any connection of the world may. */
  | 'world'

export interface FaultRow {
  readonly name: string
  readonly group: string
  /** In a sentence: what happens. */
  readonly description: string
  readonly harm: Harm
  /** Opportunities from one firing to the next, on average, at weight 1. */
  readonly weight: number
  /** Rules that a host which does this breaks: what the checker reports of them is expected. */
  readonly excuses?: readonly Rule['id'][]
}

type Cells = readonly [description: string, harm: Harm, weight: number, ...excuses: string[]]

function group<const Names extends string>(
  name: string,
  rows: Readonly<Record<Names, Cells>>,
): (FaultRow & { readonly name: Names })[] {
  return (Object.entries(rows) as [Names, Cells][]).map(
    ([kind, [description, harm, weight, ...excuses]]) => ({
      name: kind,
      group: name,
      description,
      harm,
      weight,
      ...(excuses.length === 0 ? {} : { excuses }),
    }),
  )
}

// prettier-ignore
const rows = [
  ...group('readiness', {
    'spurious-in': ['POLLIN is reported of a descriptor that waits for it and has nothing', 'none', 60, 'H3', 'H5', 'H6'],
    'spurious-out': ['POLLOUT is reported of a descriptor that did not ask for it', 'none', 60, 'H4', 'H1', 'H3', 'H5', 'H6'],
    'readiness-delayed': ['a ready descriptor is reported some milliseconds later', 'none', 30, 'H5', 'H3', 'H6'],
    'readiness-duplicated': ['a descriptor is in one batch twice', 'none', 15, 'H6', 'H8', 'H1', 'H4', 'C17'],
    'stale-after-del': ['readiness of a descriptor comes after its DEL', 'none', 6, 'H8', 'H1', 'H4', 'H6', 'C17'],
    'stale-on-reused-fd': ['readiness of an old descriptor comes for the new one of its number', 'none', 6, 'H8', 'H1', 'H4', 'H6', 'C17'],
    'hup-with-in': ['POLLHUP is reported beside POLLIN, and nobody hung up', 'none', 60, 'H1', 'C17'],
    'hup-alone': ['POLLHUP is reported alone, and nobody hung up', 'none', 80, 'H1', 'C17', 'H3', 'H5', 'H6'],
    'err-alone': ['POLLERR is reported alone, and there is no error', 'none', 80, 'H1', 'C17', 'H3', 'H5', 'H6'],
    'rdhup-half-close': ['a peer ends its sending direction without a close frame, and goes on reading', 'connection', 60],
    'batch-permuted': ['a batch comes in another order', 'none', 10],
    'batch-truncated': ['a wait has room for a part of what is ready', 'none', 10, 'H5', 'H3', 'H6'],
    'edge-lost': ['an edge is not reported until the host looks again, 50 ms later', 'none', 40, 'H3', 'H5', 'H6'],
    'mask-late': ['the poller learns of a mask one round late', 'none', 20, 'H4', 'H1', 'H3', 'H5', 'H6'],
    'entry-skipped': ['the entry behind one that was removed is passed over', 'none', 4, 'H6', 'H5', 'H3'],
  }),
  ...group('read', {
    'recv-one-byte': ['recv gives one byte', 'none', 25],
    'recv-short': ['recv gives a part of what is there', 'none', 25],
    'recv-would-block': ['recv would block, several times in a row, though bytes are there', 'none', 30],
    'recv-interrupted': ['a signal interrupts recv; its handler takes some milliseconds', 'none', 60],
    'recv-reset': ['ECONNRESET after some more bytes', 'connection', 150],
    'recv-eof': ['the end of file comes in the middle of a frame', 'connection', 150],
    'recv-timed-out': ['ETIMEDOUT: the peer acknowledged nothing for too long', 'connection', 200],
    'recv-bit-flip': ['a bit of what is received is another', 'connection', 200],
  }),
  ...group('write', {
    'send-partial': ['send takes a part', 'none', 20],
    'send-would-block': ['send takes nothing: would block', 'none', 25],
    'send-broken-pipe': ['EPIPE: the peer is gone', 'connection', 150],
    'send-reset': ['ECONNRESET from send', 'connection', 150],
    'send-no-buffers': ['ENOBUFS: the kernel has no memory', 'connection', 200],
    'send-buffer-shrinks': ['the send buffer of a connection becomes a few bytes', 'none', 60],
    'clog': ['a peer takes nothing for a while', 'none', 60],
    'swizzle-clog': ['some peers clog one after another, and unclog in another order', 'none', 300],
  }),
  ...group('connect and accept', {
    'connect-refused': ['a connect is refused; who wanted it tries again', 'none', 6],
    'connect-hang': ['a connect request is lost, and sent again a second later', 'none', 6],
    'connect-so-error': ['a connect is under way, and then fails; who wanted it tries again', 'none', 6],
    'accept-emfile': ['EMFILE: the process has no descriptor left', 'none', 6],
    'accept-enfile': ['ENFILE: the system has none left', 'none', 8],
    'accept-aborted': ['ECONNABORTED: the connection went while it waited', 'connection', 10],
    'accept-burst': ['connections that say nothing come along', 'none', 8],
    'gone-before-accept': ['a peer resets while it waits to be accepted', 'connection', 12],
    'backlog-overflow': ['the accept queue is full; the request is sent again a second later', 'none', 6],
  }),
  ...group('names and addresses', {
    'name-hangs': ['the resolver never answers for a name', 'connection', 12],
    'name-late': ['a name is answered seconds later, when perhaps nobody waits any more', 'connection', 8],
    'name-empty': ['a name has no address', 'connection', 12],
    'name-one-family': ['a name has addresses of one family only', 'none', 4],
    'name-lies': ['a name has addresses of nobody, of the other family, or hundreds', 'connection', 8],
    'name-answered-twice': ['a name is answered a second time, and otherwise', 'none', 4],
    'address-unreachable': ['a connect fails at once: there is no way to the address', 'connection', 8],
    'address-refuses': ['an address refuses', 'connection', 8],
    'address-hangs': ['an address never answers', 'connection', 8],
    'address-resets': ['a connection is reset soon after it was made', 'connection', 12],
  }),
  ...group('close and descriptors', {
    'close-interrupted': ['close answers EINTR, and has closed', 'none', 4],
    'close-io-error': ['close answers EIO, and has closed', 'none', 5],
    'fd-taken': ['the number of a closed descriptor goes to a file of the host at once', 'none', 4, 'H8', 'H6', 'H1', 'H4'],
    'fd-reused-in-batch': ['the number comes back as a new connection within the batch', 'none', 3, 'H8', 'H6', 'H1', 'H4', 'C17'],
    'fd-very-high': ['a descriptor has a number above 65,535', 'none', 8],
    'simultaneous-close': ['both sides send their close frame at the same time', 'connection', 80],
    'reset-after-fin': ['a peer ends its direction and resets right after', 'connection', 100],
    'silent-death': ['nothing of a peer ever arrives again, and it is never told', 'connection', 200],
    'dup-ghost': ['a descriptor lives on in another process after its close, and is reported', 'none', 6, 'H8', 'H6', 'H1', 'H4', 'C17'],
  }),
  ...group('time', {
    'wake-late': ['a wait ends some time after the timeout', 'none', 10],
    'wake-early': ['a wait ends before the timeout, with nothing', 'none', 8],
    'clock-jump': ['the clock leaps forward by minutes', 'world', 400, 'H2'],
    'clock-frozen': ['the clock stands still for a while', 'none', 40, 'H2'],
    'clock-backwards': ['the clock goes back by up to a second', 'world', 60, 'H7', 'H2', 'C21', 'C22', 'C23'],
    'clock-coarse': ['the clock ticks in steps of 10 ms for a while', 'none', 30, 'H2', 'H7'],
  }),
  ...group('host', {
    'throws-in-add': ['the poll set refuses a descriptor', 'connection', 12],
    'callback-throws': ['a callback of the application throws', 'connection', 80],
    're-enters': ['the host calls serviceFd from inside a callback', 'none', 30],
    'foreign-pollfd': ['the host passes a descriptor of its own', 'none', 20],
    'host-busy': ['the program does something else for some milliseconds before it looks again', 'none', 20],
    'starves': ['the host leaves a ready descriptor unserved for some rounds', 'none', 30, 'H5', 'H3', 'H6'],
    'destroys-in-callback': ['a callback destroys the context; a new one is made later', 'world', 400],
  }),
  ...group('peer bytes', {
    'slow-handshake': ['a peer sends its handshake a byte at a time', 'none', 8],
    'split-utf8': ['a text is cut in the middle of a character, into two fragments', 'none', 10],
    'control-in-fragments': ['a ping comes between the fragments of a message', 'none', 15],
    'tiny-fragments': ['a message comes in fragments of a byte or none', 'none', 25],
    'ping-flood': ['a peer sends many pings at once, more than a server must bear', 'connection', 40],
    'oversize': ['a frame announces more than may come', 'connection', 150],
    'mask-violation': ['a frame comes without a mask', 'connection', 150],
    'reserved-bits': ['a frame has reserved bits or a reserved opcode', 'connection', 150],
    'close-race': ['a peer sends its close frame, and messages after it', 'connection', 100],
    'deflate-bomb': ['a compressed frame that would become megabytes', 'connection', 200],
  }),
  ...group('entropy', {
    'zero-mask': ['a masking key is all zeros', 'none', 20],
    'repeated-key': ['a peer masks every frame with the key of the one before', 'none', 20],
    'entropy-repeats': ["the host's entropy gives the same bytes again", 'none', 2, 'H9'],
  }),
  ...group('network', {
    'latency-spike': ['a direction of a connection is slow for a moment', 'none', 40],
    'partition': ['a peer and its host do not reach each other for a while', 'none', 80],
    'bandwidth-drop': ['a link carries a few bytes a millisecond for a while', 'none', 80],
  }),
] as const satisfies readonly FaultRow[]

export type FaultName = (typeof rows)[number]['name']

/** Every kind, in the order of the table. */
export const faultTable: readonly (FaultRow & { readonly name: FaultName })[] = rows

export const faultNames: readonly FaultName[] = rows.map(({ name }) => name)
