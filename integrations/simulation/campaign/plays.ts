/**
 * What the scenarios play: each an application, and peers that show whether it does what it should.
 *
 * A play holds whatever faults there are: what it asks of a connection that a fault may have ended
 * is a beginning of what it asks of one that survived.
 */
import {
  broadcast,
  CONTINUATION,
  defineProtocol,
  getProtocol,
  isFinalFragment,
  NO_FIN,
  BINARY,
  rxFlowControl,
  TEXT,
  write,
} from '../../../src/index.js'
import type { SimPeer } from '../world/sim-peer.js'
import type { World } from '../world/world.js'
import { clientsPlay } from './client-play.js'
import { lastWords, lastWordsTogether, partings } from './ends.js'
import { connectAll, echoProtocol, expect, finish, isWell, PEERS, protocolOf } from './play.js'
import type { Play } from './play.js'
import { Workload } from './workload.js'

export type PlayName = keyof typeof plays

const SILENCE_MS = 200_000
const PAUSE_MS = 7
const LONG_PAUSE_MS = 90_000
const PING_ROUNDS = 5
const HOLD_UP_SENDING = ['send-partial', 'send-would-block', 'send-buffer-shrinks'] as const
const SLOW_BYTES = 400_000
const SLOW_STEP_BYTES = 64 * 1024
const SLOW_STEP_MS = 25_000
const PING_INTERVAL_MS = 30_000
const REPLIES = 60
const REPLY_REPEATS = 2500
/** So many connections do not draw the same chance. */
const ENOUGH = 3

export const plays = {
  clients: clientsPlay,

  workload(): Play {
    const workload = new Workload()
    return { protocol: workload.protocol, act: (world: World) => workload.play(world) }
  },

  /** The application pauses on every message, and goes on later. */
  pauses(): Play {
    let later: (act: () => void) => void = () => undefined
    let paused = 0
    const protocol = protocolOf({
      RECEIVE(wsi, data) {
        write(wsi, data, TEXT)
        rxFlowControl(wsi, 0)
        paused += 1
        later(() => {
          paused -= 1
          rxFlowControl(wsi, 1)
        })
      },
    })
    return {
      protocol,
      act(world) {
        later = (act) => world.after(PAUSE_MS, act)
        const sent = Array.from({ length: 8 }, (_, index) => `message ${index}`)
        const peers = connectAll(world, sent)
        while (paused > 0 || peers.some((peer) => mayGetMore(peer, sent))) world.runFor(PAUSE_MS)
        finish(world, peers, sent)
      },
    }
  },

  /** Much at once: more than a call may read, handle or write. */
  bursts(): Play {
    return {
      protocol: echoProtocol(),
      act(world) {
        const sent = Array.from({ length: 30 }, (_, index) => `${index} `.repeat(1 + index * 9))
        finish(world, connectAll(world, sent), sent)
      },
    }
  },

  /** Pings in between, each of which must be answered with its own payload. */
  pings(): Play {
    return {
      protocol: echoProtocol(),
      // No more than these wait at once: a round of them, and those in between of what is sent.
      context: { txBudgetBytes: 262_144, maxPendingPongs: 24 },
      act(world) {
        const sent = ['a', 'b', 'c']
        const peers = connectAll(world, sent)
        // Where the transport takes everything, there may be any number of them.
        const isSmooth = !HOLD_UP_SENDING.some((name) => world.faults.has(name))
        const payloads: string[] = []
        for (let round = 0; round < PING_ROUNDS; round += 1) {
          for (let index = 0; index < (isSmooth ? 100 : 20); index += 1) {
            payloads.push(`ping ${payloads.length}`)
            for (const peer of peers) peer.ping(payloads.at(-1))
          }
          world.run()
        }
        finish(world, peers, sent)
        for (const peer of peers) {
          if (peer.harmedBy !== undefined) continue
          const pongs = peer.pongs.map(String).filter((pong) => payloads.includes(pong))
          expect(pongs.join() === payloads.join(), `${peer.name} got pongs ${pongs.join()}`)
        }
      },
    }
  },

  /** Minutes without a word: pings, timeouts, and pauses that are no silence of the peer's. */
  silence(): Play {
    let later: (act: () => void) => void = () => undefined
    let count = 0
    const protocol = protocolOf({
      RECEIVE(wsi, data) {
        write(wsi, data, TEXT)
        count += 1
        if (count % 2 === 0) return
        rxFlowControl(wsi, 0)
        later(() => void rxFlowControl(wsi, 1))
      },
    })
    return {
      protocol,
      act(world) {
        later = (act) => world.after(LONG_PAUSE_MS, act)
        const peers = connectAll(world, ['one word'])
        world.run()
        const began = peers.filter(isWell)
        const gaps = watchPings(world, began)
        world.runFor(SILENCE_MS)
        const asked = [...gaps.values()]
        expect(
          asked.length < ENOUGH || asked.some((ms) => ms < PING_INTERVAL_MS) || repeats(world),
          'nobody is pinged sooner than anybody else: connections of one moment go together',
        )
        for (const peer of began)
          expect(!isWell(peer) || peer.pings >= 2, `${peer.name} was not asked whether it lives`)
        finish(world, peers, ['one word'])
      },
    }
  },

  /** Peers that take a little now and then: slow, and not gone. */
  slowReaders(): Play {
    const large = 'slowly '.repeat(SLOW_BYTES / 7)
    const protocol = protocolOf({ RECEIVE: (wsi) => void write(wsi, large, TEXT) })
    return {
      protocol,
      // Who takes nothing answers no ping either.
      context: { pingIntervalMs: 0, idleTimeoutMs: 300_000 },
      act(world) {
        const peers = connectAll(world, [])
        world.run()
        for (const peer of peers) {
          peer.pause()
          peer.send('everything, please')
        }
        for (let taken = 0; taken < SLOW_BYTES; taken += SLOW_STEP_BYTES) {
          world.runFor(SLOW_STEP_MS)
          for (const peer of peers) peer.resume()
          world.step()
          for (const peer of peers) peer.pause()
        }
        for (const peer of peers) peer.resume()
        finish(world, peers, [large])
      },
    }
  },

  /** Frames in the same bytes as the handshake, from clients that do not wait for its answer. */
  glued(): Play {
    const heard: string[] = []
    return {
      protocol: protocolOf({ RECEIVE: (_wsi, data) => void heard.push(data.toString()) }),
      act(world) {
        const head =
          'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
        const peer = world.dial()
        const frame = Buffer.from('8183000000006f6e65', 'hex')
        peer.send(Buffer.concat([Buffer.from(head, 'latin1'), frame, frame]))
        world.run()
        world.faults.stop()
        world.run()
        const isWhole = heard.join() === 'one,one' || peer.harmedBy !== undefined
        expect(isWhole, `heard ${heard.join()}`)
        peer.reset()
      },
    }
  },

  /** Everybody is told everything, in order, each message by itself. */
  broadcasts(): Play {
    const protocol = protocolOf({
      RECEIVE: (wsi, data) => void broadcast(getProtocol(wsi)!, data),
      BROADCAST: (wsi, data) => void write(wsi, data, TEXT),
    })
    return {
      protocol,
      act(world) {
        const peers = Array.from({ length: PEERS }, () => world.connect('play'))
        world.run()
        const [speaker] = peers
        const sent = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(index * 10))
        for (const text of sent) speaker!.send(text)
        finish(world, peers, sent, speaker)
      },
    }
  },

  /** Messages in pieces as they come, sent back in the same pieces. */
  streams(): Play {
    interface Session {
      inMessage: boolean
    }
    const protocol = defineProtocol<Session>({
      name: 'play',
      payload: 'view',
      delivery: 'stream',
      createSession: () => ({ inMessage: false }),
      handlers: {
        RECEIVE(wsi, data, session) {
          const isFinal = isFinalFragment(wsi)
          const opcode = session.inMessage ? CONTINUATION : BINARY
          write(wsi, data, isFinal ? opcode : opcode | NO_FIN)
          session.inMessage = !isFinal
        },
      },
    })
    return {
      protocol,
      act(world) {
        const sent = Array.from({ length: 12 }, (_, index) =>
          `${index} \u20ac `.repeat(1 + index ** 3),
        )
        finish(world, connectAll(world, sent), sent)
      },
    }
  },

  /** Many answers to one message: more than is kept together before it is sent. */
  replies(): Play {
    const replies = Array.from({ length: REPLIES }, (_, index) => `${index} `.repeat(REPLY_REPEATS))
    return {
      protocol: protocolOf({
        RECEIVE(wsi) {
          for (const reply of replies) write(wsi, reply, TEXT)
        },
      }),
      act(world) {
        finish(world, connectAll(world, ['everything, please']), replies)
      },
    }
  },

  lastWords,
  lastWordsTogether,
  partings,
} satisfies Record<string, () => Play>

/** The shortest time from one ping to the next, of each that was pinged twice. */
function watchPings(world: World, peers: readonly SimPeer[]): ReadonlyMap<SimPeer, number> {
  const gaps = new Map<SimPeer, number>()
  const last = new Map(peers.map((peer) => [peer, { pings: peer.pings, ms: -Infinity }]))
  world.invariant('pings are noted', () => {
    for (const [peer, { pings, ms }] of last) {
      if (peer.pings === pings) continue
      if (ms !== -Infinity) gaps.set(peer, Math.min(gaps.get(peer) ?? Infinity, world.now - ms))
      last.set(peer, { pings: peer.pings, ms: world.now })
    }
  })
  return gaps
}

/** The host's chance is the same for all of them. */
function repeats({ faults }: World): boolean {
  return faults.has('entropy-repeats')
}

function mayGetMore(peer: SimPeer, sent: readonly string[]): boolean {
  return peer.state !== 'ended' && peer.harmedBy === undefined && peer.received.length < sent.length
}
