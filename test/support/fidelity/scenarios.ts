/**
 * The fidelity scenarios: those with a name, and those that enumerate how two ends can part.
 *
 * `pair a b`: a called, b was accepted. The verbs are play.ts's.
 */
import type { Transport } from './machine.js'
import type { FidelityScenario } from './compare.js'

type Row = readonly [name: string, steps: string, only?: Transport]

// prettier-ignore
const named: readonly Row[] = [
  // Bytes
  ['a recv takes what there is, up to its length', 'pair a b; send a 5; recv b 3; recv b 9; recv b 9'],
  ['several sends are one stream', 'pair a b; send a 2; send a 3; send a 1; recv b 9; recv b 9'],
  ['both directions are apart', 'pair a b; send a 3; send b 4; recv a 9; recv b 9; recv a 9'],
  ['nothing was sent yet', 'pair a b; recv a 1; recv b 1'],
  ['bytes sent before accept wait behind it', 'listen L; connect a L; send a 4; accept b L; recv b 9; send b 2; recv a 9'],
  ['a full pipe takes no more, and its reader gets all of it', 'pair a b; fill a; send a 1; drain b; send a 1; drain b'],
  ['a full pipe stays full after a small read', 'pair a b; watch a out; fill a; wait; recv b 100; wait'],
  ['a full pipe takes nothing after a small read', 'pair a b; fill a; recv b 100; send a 1', 'unix'],
  ['a pipe is full in one direction', 'pair a b; fill a; send b 3; recv a 9; fill b; send b 1'],
  ['a full pipe, then the end of file behind all of it', 'pair a b; fill a; shut a; drain b; recv b 1'],
  ['a full pipe whose reader closes', 'pair a b; fill a; close b; error a; send a 1'],
  ['a full pipe whose reader aborts', 'pair a b; fill a; abort b; send a 1; send a 1'],
  ['a full pipe whose writer closes', 'pair a b; fill a; close a; drain b; recv b 1'],
  ['a full pipe whose writer aborts: nothing more is sent', 'pair a b; fill a; abort a; error b; send b 1'],
  ['a full pipe is watched', 'pair a b; watch a out; wait; fill a; wait; drain b; wait'],

  // Ends in order
  ['half-close: read to the end, and go on writing', 'pair a b; send a 3; shut a; recv b 9; recv b 9; send b 4; recv a 9; shut b; recv a 9'],
  ['the end of file is there again and again', 'pair a b; shut a; recv b 1; recv b 1; recv b 1'],
  ['a write after one\'s own end', 'pair a b; shut a; send a 1; send a 1'],
  ['two ends of one direction', 'pair a b; shut a; shut a; recv b 1'],
  ['both directions end', 'pair a b; shut a; shut b; recv a 1; recv b 1; send a 1; send b 1'],
  ['an end after both ended', 'pair a b; shut a; shut b; shut a; shut b'],
  ['a close after both ended', 'pair a b; shut a; shut b; close a; error b; recv b 1'],
  ['an abort after both ended', 'pair a b; shut a; shut b; abort a; error b; recv b 1'],
  ['bytes before the peer\'s end are read first', 'pair a b; send a 7; shut a; recv b 3; recv b 9; recv b 9'],
  ['a close after a half-close', 'pair a b; shut a; close a; recv b 1; send b 1; error b'],
  ['a write to a peer that ended its own direction', 'pair a b; shut a; send b 5; recv a 9; send b 1; recv a 1'],
  ['the peer ends, then closes', 'pair a b; shut b; recv a 1; close b; recv a 1; send a 1; send a 1'],

  // Ends without order
  ['the first write after the peer\'s close is taken', 'pair a b; close b; send a 1; send a 1; send a 1'],
  ['EPIPE comes once for each send', 'pair a b; close b; send a 1; error a; send a 1; send a 1'],
  ['a close with bytes unread resets', 'pair a b; send a 5; close b; recv a 1; recv a 1; send a 1'],
  ['what was sent before the reset is read first', 'pair a b; send a 5; send b 3; close b; recv a 9; recv a 9; recv a 9'],
  ['SO_LINGER 0 resets', 'pair a b; abort b; recv a 1; recv a 1; send a 1'],
  ['SO_LINGER 0 behind bytes that arrived', 'pair a b; send b 4; abort b; recv a 2; recv a 9; recv a 9'],
  ['SO_ERROR takes the error of a reset', 'pair a b; abort b; error a; error a; recv a 1; send a 1'],
  ['a send takes the error of a reset', 'pair a b; abort b; send a 1; error a; send a 1'],
  ['a recv takes the error of a reset', 'pair a b; abort b; recv a 1; error a; send a 1'],
  ['an end after a reset', 'pair a b; abort b; shut a; recv a 1'],
  ['a reset after the peer\'s end of file', 'pair a b; shut b; recv a 1; abort b; recv a 1; error a; send a 1'],
  ['an unread end of file, then a reset', 'pair a b; shut b; abort b; recv a 1; recv a 1; error a'],
  ['bytes, an end of file, then a reset', 'pair a b; send b 3; shut b; abort b; recv a 9; recv a 9; send a 1'],
  ['a reset after one\'s own end', 'pair a b; shut a; abort b; recv a 1; send a 1; error a'],
  ['a close with bytes unread after one\'s own end', 'pair a b; send a 3; shut b; close b; recv a 1; error a; send a 1'],
  ['a close with bytes unread after the peer\'s end', 'pair a b; send a 3; shut a; close b; recv a 1; error a; send a 1'],
  ['a half-read message, then a close', 'pair a b; send a 5; recv b 2; close b; recv a 1; error a'],
  ['a whole message read, then a close', 'pair a b; send a 5; recv b 5; close b; recv a 1; error a'],
  ['writes go on until the reset is seen', 'pair a b; send b 2; close b; send a 4; recv a 1; recv a 9; recv a 9; send a 1'],
  ['both close at once', 'pair a b; send a 1; send b 1; close a; close b'],
  ['both abort', 'pair a b; abort a; abort b'],

  // Listening and connecting
  ['nobody has connected', 'listen L; accept a L'],
  ['who came first is accepted first', 'listen L; connect a L; connect b L; send a 1; send b 2; accept c L; accept d L; recv c 9; recv d 9; accept e L'],
  ['a peer that closes before it is accepted', 'listen L; connect a L; send a 2; close a; accept b L; recv b 9; recv b 9; send b 1'],
  ['a peer that resets before it is accepted', 'listen L; connect a L; abort a; accept b L; recv b 1; recv b 1; send b 1'],
  ['bytes, then a reset before accept', 'listen L; connect a L; send a 2; abort a; accept b L; recv b 9; recv b 9'],
  ['a listener that closes drops who waits', 'listen L; connect a L; close L; recv a 1; recv a 1; send a 1'],
  ['a listener that closes drops who waits, bytes or not', 'listen L; connect a L; send a 3; connect b L; shut b; close L; error a; error b; recv b 1'],
  ['a listener that closes leaves who was accepted', 'listen L; connect a L; accept b L; close L; send a 2; recv b 9'],
  ['where nobody listens', 'nobody a'],
  ['where nobody listens, then SO_ERROR', 'nobody a; error a; error a; recv a 1; send a 1', 'tcp'],
  ['where nobody listens, then a send', 'nobody a; send a 1; send a 1; recv a 1', 'tcp'],
  ['where nobody listens, then a recv', 'nobody a; recv a 1; recv a 1; shut a', 'tcp'],
  ['where nobody listens, watched', 'nobody a; watch a out; wait; wait', 'tcp'],
  ['a queue holds one more than its backlog', 'listen L 1; connect a L; connect b L; connect c L'],
  ['a full queue: who does not get in is not there yet', 'listen L 1; connect a L; connect b L; connect c L; recv c 1; send c 1; error c', 'tcp'],
  ['a full queue: who does not get in may give up', 'listen L 1; connect a L; connect b L; connect c L; close c; accept d L; accept e L; accept f L', 'tcp'],
  ['a full queue has room again after accept', 'listen L 1; connect a L; connect b L; connect c L; accept d L; accept e L; accept f L', 'unix'],
  ['addresses are known on both ends', 'listen L; connect a L; accept b L; peer a', 'tcp'],
  ['an accepted end knows its peer after a reset', 'listen L; connect a L; accept b L; abort a; peer b; recv b 1; peer b', 'tcp'],

  // The poller
  ['level-triggered: told again until it is read', 'pair a b; watch b in; wait; send a 3; wait; wait; recv b 2; wait; recv b 9; wait'],
  ['only what is waited for', 'pair a b; watch b out; send a 1; wait; mask b in; wait; mask b in+out; wait'],
  ['an end of file is told as POLLIN', 'pair a b; watch b in; shut a; wait; recv b 1; wait'],
  ['an error is told without being asked for', 'pair a b; watch b out; abort a; wait; error b; wait'],
  ['mask 0 tells of nothing but an error', 'pair a b; watch b none; send a 1; wait; shut a; wait; abort a; wait; wait'],
  ['mask 0 tells of an error once', 'pair a b; watch b in; mask b none; abort a; wait; wait; mask b in; wait; wait; mask b none; wait; wait'],
  ['mask 0, waiting bytes are told afterwards', 'pair a b; watch b none; send a 1; wait; mask b in; wait'],
  ['both directions ended: a hang-up', 'pair a b; watch b in; shut a; wait; shut b; wait; mask b out; wait'],
  ['a listener is told until all are accepted', 'listen L; watch L in; wait; connect a L; connect b L; wait; accept c L; wait; accept d L; wait'],
  ['in the order in which it happened', 'listen L; connect a L; connect b L; connect c L; accept x L; accept y L; accept z L; watch x in; watch y in; watch z in; send b 1; send c 1; send a 1; wait'],
  ['the order of being added, where all are ready', 'listen L; connect a L; connect b L; accept x L; accept y L; send a 1; send b 1; watch y in; watch x in; wait'],
  ['who was told goes to the end of the line', 'listen L; connect a L; connect b L; connect c L; accept x L; accept y L; accept z L; watch x in; watch y in; watch z in; send c 1; send b 1; wait; send a 1; wait; recv z 1; wait'],
  ['what is not waited for takes no place in the line', 'listen L; connect a L; connect b L; accept x L; accept y L; watch x out; watch y in; wait; send a 1; mask x in; send b 1; mask x out; wait; wait'],
  ['who becomes ready again goes to the end', 'listen L; connect a L; connect b L; accept x L; accept y L; watch x in; watch y in; send a 1; send b 1; recv x 1; wait; send a 1; wait'],
  ['removed: nothing is told', 'pair a b; watch b in; send a 1; wait; unwatch b; wait; watch b in; wait'],
  ['removed after the wait: stale', 'pair a b; watch b in; send a 1; wait; live; unwatch b; live; watch b in; live; wait; live'],
  ['closed and its number taken: stale', 'listen L; connect a L; accept b L; watch b in; connect c L; send a 1; wait; unwatch b; close b; accept d L; same d b; watch d in; live; wait'],
  ['one of a batch ends, the others stay', 'listen L; connect a L; connect b L; accept x L; accept y L; watch x in; watch y in; send a 1; send b 1; wait; unwatch x; close x; live; wait'],

  ['a repeated mask', 'pair a b; watch b in; mask b in; send a 1; wait; mask b in; wait'],
  ['a mask of what is not in the set', 'pair a b; mask b in; watch b in; unwatch b; mask b out; wait'],

  // Numbers
  ['the lowest number is the next', 'listen L; connect a L; accept b L; connect c L; close b; accept d L; same d b'],
  ['a number comes back at once', 'listen L; connect a L; close a; connect b L; same b a; accept c L; recv c 1; accept d L; send b 1; recv d 1'],
]

/** Those in which Linux takes a second: a request that was dropped is sent again. */
// prettier-ignore
const slow: readonly Row[] = [
  ['a full queue asks again', 'listen L 1; connect a L; connect b L; connect c L; accept d L; accept e L; accept f L c; send c 3; recv f 9', 'tcp'],
]

/** Those for which a kernel must hold a descriptor for somebody else. */
// prettier-ignore
const held: readonly Row[] = [
  ['held elsewhere: a close is no end yet', 'pair a b; hold a; close a; recv b 1; send b 2; letgo; recv b 1; error b'],
  ['held elsewhere: the last one to go ends it', 'pair a b; hold a; send b 2; close a; send b 1; letgo; error b; recv b 1'],
  ['held elsewhere: SO_LINGER 0 waits for the last one', 'pair a b; hold a; abort a; recv b 1; letgo; recv b 1; send b 1'],
  ['held elsewhere: the first one goes on', 'pair a b; hold a; letgo; send b 2; recv a 9; shut a; recv b 1'],
  ['held elsewhere: an end of a direction ends it for all', 'pair a b; hold a; shut a; recv b 1; close a; send b 1; letgo; error b'],
  ['held elsewhere, watched: a ghost is not told', 'pair a b; watch a in; hold a; unwatch a; close a; send b 3; wait; letgo; wait; error b'],
]

/** Those for which descriptors must run out. */
// prettier-ignore
const scarce: readonly Row[] = [
  ['out of descriptors: who waits goes on waiting', 'listen L; connect a L; send a 2; leave 0; accept b L; accept b L; leave Infinity; accept b L; recv b 9'],
  ['out of descriptors: the listener goes on being ready', 'listen L; watch L in; connect a L; leave 0; accept b L; wait; wait; leave Infinity; accept b L; wait'],
  ['out of descriptors: an empty queue', 'listen L; leave 0; accept a L'],
  ['out of descriptors: no connecting', 'listen L; leave 0; connect a L; leave Infinity; connect a L; accept b L'],
  ['out of descriptors: no listening', 'leave 0; listen L; leave Infinity; listen L'],
  ['out of descriptors: one left', 'listen L; connect a L; connect b L; leave 1; accept c L; accept d L; close c; accept d L'],
  ['out of descriptors: a close gives one back', 'listen L; connect a L; leave 0; accept b L; close a; accept b L; recv b 1'],
]

/** What stays different, and what shows that Linux is as it is. */
export interface KnownDifference extends FidelityScenario {
  /** The step in which it shows, from 1, and the two answers. */
  readonly step: number
  readonly linux: string
  readonly fake: string
  readonly why: string
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    name: 'an end of a direction, while connecting',
    transport: 'tcp',
    steps: 'listen L 1; connect a L; connect b L; connect c L; shut c',
    step: 5,
    linux: 'ok',
    fake: 'ENOTCONN',
    why:
      'net/ipv4/af_inet.c, inet_shutdown(), case TCP_SYN_SENT: calls tcp_disconnect(), and the ' +
      'attempt is over with ECONNRESET. shutdown(2) says ENOTCONN. The library closes instead',
  },
  {
    name: 'removed although not in the set',
    transport: 'tcp',
    steps: 'pair a b; unwatch b',
    step: 2,
    linux: 'ok',
    fake: 'refused',
    why: 'epoll_ctl(2), ENOENT: the Poller forgives it, as contract C2 asks; a test must not (C1)',
  },
  {
    name: 'added although in the set',
    transport: 'tcp',
    steps: 'pair a b; watch b in; watch b in',
    step: 3,
    linux: 'ok',
    fake: 'refused',
    why: 'epoll_ctl(2), EEXIST: the Poller forgives it, as contract C2 asks; a test must not (C1)',
  },
  {
    name: 'closed although in the set',
    transport: 'tcp',
    steps: 'pair a b; watch b in; close b',
    step: 3,
    linux: 'ok',
    fake: 'refused',
    why: 'epoll(7), question 6: the kernel forgets it by itself; of the library it breaks C3',
  },
]

/** What a does, what b did before, and what b sees. */
const endings = [
  'close a', 'abort a', 'shut a', 'send a 3; close a', 'send a 3; abort a', 'send a 3; shut a',
  'shut a; close a', 'shut a; abort a', 'send a 2; shut a; close a', 'send a 2; shut a; abort a',
] // prettier-ignore
const beforehand = ['', 'send b 4; ', 'shut b; ', 'send b 4; shut b; '] as const
const sights = [
  'recv b 2; recv b 9; recv b 9; recv b 9',
  'send b 1; send b 1; recv b 9; recv b 9; error b',
  'error b; recv b 9; recv b 9; send b 1',
  'watch b in; wait; recv b 9; wait; mask b none; wait; wait; send b 1; mask b in; wait',
  'shut b; recv b 9; recv b 9; error b; shut b',
] as const

const TRANSPORTS: readonly Transport[] = ['tcp', 'unix']

function onEach(rows: readonly Row[]): FidelityScenario[] {
  return rows.flatMap(([name, steps, only]) =>
    TRANSPORTS.filter((transport) => only === undefined || only === transport).map((transport) => ({
      name,
      transport,
      steps,
    })),
  )
}

export const namedScenarios = onEach(named)
export const slowScenarios = onEach(slow)
export const heldScenarios = onEach(held)
export const scarceScenarios = onEach(scarce)
export const partingScenarios = onEach(
  endings.flatMap((ending) =>
    beforehand.flatMap((before) =>
      sights.map((sight): Row => ['parting', `pair a b; ${before}${ending}; ${sight}`]),
    ),
  ),
)
