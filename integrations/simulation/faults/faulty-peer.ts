/**
 * What a peer and the way to it do wrong: frames that are cut oddly or must not be, silence, slow
 * and lost ways, ends at a bad moment.
 *
 * Called for each handshake and each message that a peer sends; without a fault it sends them as
 * they are. Refuses to know the library.
 */
import { deflateRawSync } from 'node:zlib'
import type { PeerMischief, RawPeer, SimPeer } from '../world/sim-peer.js'
import type { Environment } from '../world/environment.js'
import { undoLater } from '../world/environment.js'
import type { Network } from '../world/network.js'
import type { FaultName } from './fault-table.js'

const NOTHING = Buffer.alloc(0)
const TINY_MAX_BYTES = 200
const CLOG_MAX_MS = 500
const CUT_MAX_MS = 3000
const BOMB = deflateRawSync(Buffer.alloc(2 ** 22))

export class FaultyPeers implements PeerMischief {
  constructor(
    private readonly world: Environment,
    private readonly network: Network,
  ) {}

  connected(peer: SimPeer, request: Buffer): void {
    if (!this.world.faults.fires('slow-handshake')) {
      peer.transmit(request)
      return
    }
    let at = 0
    const next = (): void => {
      const rest = this.world.faults.active ? at + 1 : request.length
      peer.transmit(request.subarray(at, rest))
      at = rest
      if (at < request.length) this.world.timeline.at(this.world.clock.now + 1, next)
    }
    next()
  }

  message(peer: SimPeer, opcode: number, payload: Uint8Array): void {
    if (!this.world.faults.active) {
      peer.sendFrame(true, opcode, payload)
      return
    }
    this.troubleTheWay(peer)
    this.troubleEntropy(peer)
    this.flood(peer)
    if (!this.breaksRule(peer, opcode)) this.sendInPieces(peer, opcode, payload)
    this.endOddly(peer)
  }

  private sendInPieces(peer: SimPeer, opcode: number, payload: Uint8Array): void {
    const { faults } = this.world
    const cut = opcode === 1 ? insideCharacter(payload) : -1
    if (cut > 0 && faults.fires('split-utf8')) {
      peer.sendFrame(false, opcode, payload.subarray(0, cut))
      peer.sendFrame(true, 0, payload.subarray(cut))
    } else if (faults.fires('tiny-fragments')) {
      this.sendTiny(peer, opcode, payload)
    } else if (faults.fires('control-in-fragments')) {
      const half = faults.pick('control-in-fragments', payload.length + 1)
      peer.sendFrame(false, opcode, payload.subarray(0, half))
      peer.sendFrame(true, 9, Buffer.from('in between'))
      peer.sendFrame(true, 0, payload.subarray(half))
    } else peer.sendFrame(true, opcode, payload)
  }

  private sendTiny(peer: SimPeer, opcode: number, payload: Uint8Array): void {
    peer.sendFrame(false, opcode, NOTHING)
    const tiny = Math.min(payload.length, TINY_MAX_BYTES)
    for (let at = 0; at < tiny; at += 1) peer.sendFrame(false, 0, payload.subarray(at, at + 1))
    peer.sendFrame(true, 0, payload.subarray(tiny))
  }

  private flood(peer: SimPeer): void {
    const { faults } = this.world
    if (!faults.fires('ping-flood')) return
    this.world.harm(peer.far.other, 'ping-flood')
    const count = 1 + faults.pick('ping-flood', 100)
    for (let i = 0; i < count; i += 1) peer.sendFrame(true, 9, Buffer.from(`ping ${i}`))
  }

  private troubleEntropy(peer: SimPeer): void {
    if (this.world.faults.fires('zero-mask')) peer.frames.nextKey = 'zero'
    else if (this.world.faults.fires('repeated-key')) peer.frames.nextKey = 'same'
  }

  /** @returns whether something was sent that the server must refuse, in place of the message */
  private breaksRule(peer: SimPeer, opcode: number): boolean {
    const breaks = (name: FaultName): boolean => {
      if (!this.world.faults.fires(name)) return false
      this.world.harm(peer.far.other, name)
      return true
    }
    if (breaks('mask-violation')) peer.sendFrame(true, opcode, Buffer.from('bare'), 0, false)
    else if (breaks('oversize')) peer.transmit(Buffer.from('81ff7fffffffffffffff01020304', 'hex'))
    else if (breaks('reserved-bits')) {
      const kind = this.world.faults.pick('reserved-bits', 4)
      peer.sendFrame(true, kind === 0 ? 3 : opcode, NOTHING, kind)
    } else if (breaks('deflate-bomb')) {
      peer.sendFrame(true, 2, BOMB, 4)
    } else if (breaks('close-race')) {
      peer.close(1000)
      peer.sendFrame(true, 1, Buffer.from('after the end'))
      peer.sendFrame(true, 9, NOTHING)
    } else return false
    return true
  }

  private endOddly(peer: SimPeer): void {
    const { faults } = this.world
    const ends = (name: FaultName): boolean => {
      if (!faults.fires(name)) return false
      this.world.harm(peer.far.other, name)
      return true
    }
    if (ends('rdhup-half-close')) peer.end()
    else if (ends('reset-after-fin')) {
      peer.end()
      undoLater(this.world, faults.pick('reset-after-fin', 5), () => peer.reset())
    } else if (peer.far.pipe !== null && ends('silent-death')) this.network.kill(peer)
  }

  private troubleTheWay(peer: SimPeer): void {
    const { faults } = this.world
    if (faults.fires('clog')) this.clog(peer, faults.pick('clog', CLOG_MAX_MS))
    if (faults.fires('swizzle-clog')) this.swizzle()
    if (faults.fires('latency-spike')) {
      const lengthMs = 1 + faults.pick('latency-spike', 300)
      const end = faults.pick('latency-spike', 2) === 0 ? peer.far : peer.far.other
      end.pipe?.delay(lengthMs)
    }
    if (faults.fires('partition'))
      this.network.cutFor(peer, 1 + faults.pick('partition', CUT_MAX_MS))
    if (faults.fires('bandwidth-drop'))
      this.network.slowFor(peer, 4 + faults.pick('bandwidth-drop', 60), 300)
  }

  private clog(peer: RawPeer, lengthMs: number): void {
    peer.clog()
    undoLater(this.world, lengthMs, () => peer.unclog())
  }

  /** Each of some peers clogs a little later than the one before, for a length of its own. */
  private swizzle(): void {
    const { faults, timeline, clock } = this.world
    for (const peer of this.network.peers) {
      if (faults.pick('swizzle-clog', 2) === 0) continue
      const startMs = clock.now + faults.pick('swizzle-clog', CLOG_MAX_MS)
      const lengthMs = faults.pick('swizzle-clog', CLOG_MAX_MS)
      timeline.at(startMs, () => {
        if (faults.active) this.clog(peer, lengthMs)
      })
    }
  }
}

/** Where a text can be cut so that a character is cut too; -1 where all are of one byte. */
function insideCharacter(text: Uint8Array): number {
  return text.findIndex((byte) => (byte & 0xc0) === 0x80)
}
