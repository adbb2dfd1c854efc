/**
 * Plays about ends: that each comes, when it should, with everything that was said before it.
 */
import { close, isDestroyed, rxFlowControl, TEXT, write } from '../../../src/index.js'
import type { Wsi } from '../../../src/index.js'
import type { SimPeer } from '../world/sim-peer.js'
import type { World } from '../world/world.js'
import { expect, isWell, PEERS, protocolOf } from './play.js'
import type { Play } from './play.js'

const MAX_WORDS = [2, 12, 12, 60] as const
/** Less than pausedErrorTimeoutMs. */
const SOON_MS = 4900

/** Peers that end right behind their last words: those are heard, and so is the end. */
export function lastWords(): Play {
  return wordsAndEnds({ rounds: 3, count: PEERS, resets: (index) => index % 2 === 1 })
}

/** The same where whole batches are served, of which several have ended. */
export function lastWordsTogether(): Play {
  return { ...wordsAndEnds({ rounds: 20, count: 2 * PEERS, resets: () => false }), batches: true }
}

interface Ends {
  readonly rounds: number
  /** Peers of a round, and which of them reset the connection. */
  readonly count: number
  resets(index: number): boolean
}

function wordsAndEnds(ends: Ends): Play {
  const heard = new Map<string, string[]>()
  const open = new Set<unknown>()
  const everybody: SimPeer[] = []
  const protocol = protocolOf({
    ESTABLISHED: (wsi) => void open.add(wsi),
    RECEIVE(wsi, data) {
      const [name = ''] = data.toString().split(':')
      heard.set(name, [...(heard.get(name) ?? []), data.toString()])
      // Nobody may be there to take it: that must not cost the words behind.
      write(wsi, data, TEXT)
    },
    CLOSED: (wsi) => void open.delete(wsi),
  })
  return {
    protocol,
    // Some words are left over when an end is found.
    context: { turnMessageBudget: 3 },
    act(world) {
      for (let round = 0; round < ends.rounds; round += 1) {
        const peers = Array.from({ length: ends.count }, () => world.connect('play'))
        everybody.push(...peers)
        world.run()
        const well = peers.filter(isWell)
        // Of many words some are harmed, as a rule.
        const most = MAX_WORDS[world.choose('play.many', MAX_WORDS.length)]!
        const count = 1 + world.choose('play.words', most)
        for (const [index, peer] of peers.entries()) {
          for (const words of wordsOf(peer, count)) peer.send(words)
          if (ends.resets(index)) peer.reset()
          else peer.end()
        }
        // Not by the next ping, and not by a deadline: an end that came with the last bytes is told
        // as soon as those were heard.
        world.runFor(SOON_MS)
        for (const { name, harmedBy, far } of well) {
          const isTold = far.other.closed !== undefined || harmedBy !== undefined
          if (world.faults.has('partition')) continue
          expect(isTold, `the end of ${name} was not told within ${SOON_MS} ms`)
        }
        world.run()
        if (round + 1 === ends.rounds) world.faults.stop()
        world.run()
        judge(peers, well, count)
      }
      expect(open.size === 0, `${open.size} ends were not told`)
    },
  }

  function judge(peers: readonly SimPeer[], well: readonly SimPeer[], count: number): void {
    // What one says may have become the words of another.
    if (everybody.some(({ isGarbled }) => isGarbled)) return
    for (const peer of well) {
      const words = wordsOf(peer, count)
      const got = heard.get(peer.name) ?? []
      expect(words.join().startsWith(got.join()), `${peer.name}: ${got.join()}`)
      // A reset overtakes what is on its way: only what was there before is sure to be heard.
      const isOvertaken = peer.far.pipe !== null && ends.resets(peers.indexOf(peer))
      if (peer.harmedBy !== undefined || isOvertaken) continue
      expect(got.length === count, `${peer.name}: ${got.length} words were heard of ${count}`)
    }
  }
}

function wordsOf({ name }: SimPeer, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}: word ${index}`)
}

// --- Each in its time

/** Beyond the deadline that every connection has for its handshake. */
const QUIET_MIN_MS = 11_000
const QUIET_MAX_MS = 15_000
/** Less than may wait for the application, and more than that and than a call reads. */
const FEW_WORDS = 'last words '.repeat(50)
const MANY_WORDS = 'last words '.repeat(500)
const LARGE_BYTES = 400_000
/** Until the last of them must be over. */
const LONGEST_MS = 75_000
/** What a way that is slow or down, and a host that is late, may add. */
const LATE_MS = 6000
/**
 * A kernel that would block where it has an end to tell says so once more only to who waits; and
 * each read that gives something puts the next look off.
 */
const HIDE_ENDS = ['recv-would-block', 'recv-short', 'recv-one-byte'] as const
const CLOCKS = ['clock-jump', 'clock-frozen', 'clock-backwards', 'clock-coarse'] as const

interface Parting {
  /** What the application is asked to do. */
  readonly asks: string
  /** What the peer does then. */
  does(peer: SimPeer, world: World): void
  /** The connection is over by then, whatever the peer does (C23). */
  limitMs(world: World): number
}

const PARTINGS: readonly Parting[] = [
  { asks: 'close', does: (peer) => peer.pause(), limitMs: () => 10_000 },
  { asks: 'much', does: (peer) => peer.pause(), limitMs: stallMs },
  { asks: 'pause', does: (peer, world) => resetLater(peer, world), limitMs: () => 5000 + 1000 },
  {
    asks: 'pause',
    does: (peer, world) => endLater(peer, world, FEW_WORDS),
    limitMs: endOfPausedMs,
  },
  // An end behind more than is kept for the application is found when it reads again.
  {
    asks: 'pause',
    does: (peer, world) => endLater(peer, world, MANY_WORDS),
    limitMs: () => Infinity,
  },
  { asks: 'nothing', does: (peer) => breakRule(peer), limitMs: () => 2000 },
]

/**
 * Connections that end by a deadline alone, each by another one, after a while of silence: a host
 * that forgets one, or keeps to an older one, is late.
 */
export function partings(): Play {
  const paused: Wsi[] = []
  const large = 'x'.repeat(LARGE_BYTES)
  const acts: Readonly<Record<string, (wsi: Wsi) => void>> = {
    close: (wsi) => void close(wsi, 1000),
    much: (wsi) => void write(wsi, large, TEXT),
    pause: (wsi) => {
      paused.push(wsi)
      rxFlowControl(wsi, 0)
    },
  }
  return {
    protocol: protocolOf({ RECEIVE: (wsi, data) => acts[data.toString()]?.(wsi) }),
    act(world) {
      const peers = PARTINGS.map(() => world.connect('play'))
      world.run()
      world.runFor(QUIET_MIN_MS + world.choose('play.quiet', QUIET_MAX_MS))
      const well = peers.filter(isWell)
      const endedMs = watchEnds(world, peers)
      const beganMs = world.now
      for (const [index, peer] of peers.entries()) {
        peer.send(PARTINGS[index]!.asks)
        PARTINGS[index]!.does(peer, world)
      }
      world.runFor(LONGEST_MS)
      for (const peer of well) {
        if (peer.harmedBy !== undefined || CLOCKS.some((name) => world.faults.has(name))) continue
        const limitMs = PARTINGS[peers.indexOf(peer)]!.limitMs(world) + LATE_MS
        const lengthMs = (endedMs.get(peer) ?? Infinity) - beganMs
        expect(lengthMs <= limitMs, `${peer.name} ended after ${lengthMs} ms, not ${limitMs}`)
      }
      world.faults.stop()
      if (!isDestroyed(world.ctx)) for (const wsi of paused) rxFlowControl(wsi, 1)
      for (const peer of peers) peer.resume()
      world.run()
    },
  }
}

/** When the host closed each. */
function watchEnds(world: World, peers: readonly SimPeer[]): ReadonlyMap<SimPeer, number> {
  const endedMs = new Map<SimPeer, number>()
  world.invariant('ends are noted', () => {
    for (const peer of peers)
      if (peer.far.other.closed !== undefined && !endedMs.has(peer)) endedMs.set(peer, world.now)
  })
  return endedMs
}

function resetLater(peer: SimPeer, world: World): void {
  world.after(1000, () => peer.reset())
}

/** What it says last is found, and the end behind it. */
function endLater(peer: SimPeer, world: World, words: string): void {
  world.after(1000, () => {
    peer.send(words)
    peer.end()
  })
}

/** A small buffer tells of no room before much of it is free, and takes all the same who asks. */
function stallMs({ faults }: World): number {
  const isAsked = faults.has('err-alone') || faults.has('spurious-out')
  return isAsked && faults.has('send-buffer-shrinks') ? Infinity : 60_000
}

/** Level-triggered, an end of its sending direction shows where it is read, and it is not. */
function endOfPausedMs(world: World): number {
  const isFound = world.host().waitSet.edge && !HIDE_ENDS.some((name) => world.faults.has(name))
  return isFound ? 2 * 5000 + 1000 : Infinity
}

/** And reads nothing of what it is told about it. */
function breakRule(peer: SimPeer): void {
  peer.pause()
  peer.sendFrame(true, 3, Buffer.alloc(0))
}
