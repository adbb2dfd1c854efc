/**
 * A client in a simulated world: what `world.connect` and `world.dial` give.
 *
 * RawPeer speaks bytes, as wrong as its user likes; SimPeer is a well-behaved WebSocket client that
 * answers pings and closes, and refuses whatever a server must not send. Both connect by themselves
 * and try again where they are refused. Shares no code with the library.
 * Source: RFC 6455 sections 1.3, 4.1, 5, 7.
 */
import type { Endpoint } from '../endpoint.js'
import type { FaultName } from '../faults/fault-table.js'
import { ServerFrameDecoder, strictText } from '../frame-codec.js'
import type { Frame } from '../frame-codec.js'
import { toBytes } from '../peer.js'
import { parseResponse } from '../ws-peer.js'
import type { HttpResponse } from '../ws-peer.js'
import type { ClientFrames } from './client-frames.js'
import type { Environment } from './environment.js'
import { acceptOf } from './upgrade-request.js'

export type PeerState = 'connecting' | 'handshake' | 'open' | 'closing' | 'ended'

/** How a WebSocket ended, as its client saw it. */
export interface PeerClose {
  /** The server's close code; 1005 none was given, 1006 no close frame came. */
  readonly code: number
  readonly reason: string
  /** Both close frames were exchanged. */
  readonly clean: boolean
}

/** What the world does for its peers. */
export interface PeerKeeper extends Environment {
  /** Something arrived, or something can be sent: process the peer in this step. */
  wake(peer: RawPeer): void
  /** What goes wrong with what a peer sends. */
  readonly mischief: PeerMischief
}

export interface PeerMischief {
  connected(peer: SimPeer, request: Buffer): void
  message(peer: SimPeer, opcode: number, payload: Uint8Array): void
}

const NOTHING = Buffer.alloc(0)

export class RawPeer {
  state: PeerState = 'connecting'
  /** The fault that may have ended this connection, or changed what it carried. */
  harmedBy: FaultName | undefined
  /** What it sent arrived as something else. */
  isGarbled = false
  /** It takes nothing of what arrives while this is above 0. */
  protected clogs = 0
  protected isPaused = false
  private readonly queued: Uint8Array[] = []
  private readonly bytes: Buffer[] = []

  constructor(
    readonly name: string,
    readonly hostName: string,
    readonly far: Endpoint,
    protected readonly world: PeerKeeper,
  ) {
    far.onActivity = () => world.wake(this)
  }

  /** Everything the server sent that nobody took yet. */
  get receivedBytes(): Buffer {
    return Buffer.concat(this.bytes)
  }

  /** The connection is there, and neither side has ended it. */
  get isConnected(): boolean {
    const { far } = this
    return this.state !== 'connecting' && !far.finSent && !far.cut && far.closed === undefined
  }

  /** Sends bytes as they are; before the connection is there, as soon as it is. */
  send(data: string | Uint8Array): void {
    const bytes = Buffer.from(toBytes(data))
    this.world.story.add(this.name, 'sends bytes:', bytes.length)
    if (this.state === 'connecting') this.queued.push(bytes)
    else this.transmit(bytes)
  }

  /** Ends the sending direction: FIN. */
  end(): void {
    this.world.story.add(this.name, 'ends its direction')
    if (this.isConnected) this.far.end()
  }

  /** Resets the connection. */
  reset(): void {
    this.world.story.add(this.name, 'resets')
    if (this.state === 'ended') return
    this.state = 'ended'
    if (this.far.closed === undefined) this.far.close('abort')
  }

  /** Takes nothing of what arrives, until `resume`. */
  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.world.wake(this)
  }

  /** The same for a while, by a fault: they add up. */
  clog(): void {
    this.clogs += 1
  }

  unclog(): void {
    this.clogs -= 1
    this.world.wake(this)
  }

  /** The connection was taken into the host's accept queue. */
  connected(): void {
    this.far.connecting = false
    this.state = 'open'
    for (const bytes of this.queued.splice(0)) this.transmit(bytes)
  }

  /** @returns false: they go nowhere any more */
  transmit(bytes: Uint8Array): boolean {
    if (!this.isConnected) return false
    this.far.transmit(bytes)
    return true
  }

  /** Takes what arrived. */
  process(): void {
    const { far } = this
    if (this.clogs > 0 || this.isPaused || far.closed !== undefined) return
    if (far.inbound.lengthBytes > 0) {
      const bytes = far.inbound.take()
      this.world.fold(bytes.length)
      far.madeRoom()
      this.take(bytes)
    }
    if ((far.finReceived || far.cut) && far.closed === undefined && far.inbound.lengthBytes === 0)
      this.ended()
  }

  /** What keeps this connection from being at rest; undefined where nothing does. */
  get waitsFor(): string | undefined {
    const { far } = this
    const near = far.other
    if (this.state === 'ended')
      return near.closed === undefined && near.fd >= 0 && !near.pausedByMask
        ? 'the host to hear of its end'
        : undefined
    if (this.state === 'connecting') return 'to be connected'
    if (near.fd < 0 && near.closed === undefined) return 'to be accepted'
    if (far.inbound.lengthBytes > 0 && !this.isPaused) return 'its own clog to end'
    if (far.pipe?.isDead === true)
      return near.closed === undefined && !near.pausedByMask
        ? 'the host to notice that nothing comes any more'
        : undefined
    if (near.pipe?.isEmpty === false && !this.isPaused) return 'bytes on their way to it'
    if (near.closed !== undefined || near.cut) return 'the end of its connection'
    if (far.pipe?.isEmpty === false && !near.pausedByMask) return 'bytes on their way to the host'
    if (near.inbound.lengthBytes > 0 && !near.pausedByMask) return 'the host to read'
    if (near.wantsToSend && !this.isPaused) return 'the host to send'
    return far.finSent && !near.pausedByMask ? 'the host to hear of its end' : undefined
  }

  protected take(bytes: Buffer): void {
    this.bytes.push(bytes)
  }

  protected ended(): void {
    this.state = 'ended'
    this.world.story.add(this.name, this.far.cut ? 'was reset' : 'saw the end of file')
    if (this.far.closed === undefined) this.far.close('close')
  }
}

export class SimPeer extends RawPeer {
  /** Whole messages, oldest first: text as string, binary as Buffer. */
  readonly received: (string | Buffer)[] = []
  /** Payloads of pongs. */
  readonly pongs: Buffer[] = []
  /** How often it was pinged. */
  pings = 0
  /** The answer, where it was not 101. */
  refused: HttpResponse | undefined
  closed: PeerClose | undefined
  onOpen: (() => void) | undefined
  onMessage: ((data: string | Buffer) => void) | undefined

  private readonly decoder = new ServerFrameDecoder()
  private readonly outbox: (() => void)[] = []
  private readonly pieces: Buffer[] = []
  private pieceOpcode = 0
  private head: Buffer = NOTHING
  private theirs: { readonly code: number; readonly reason: string } | undefined
  private closeSent = false

  constructor(
    name: string,
    hostName: string,
    far: Endpoint,
    world: PeerKeeper,
    private readonly request: { readonly head: Buffer; readonly key: string },
    readonly frames: ClientFrames,
    /** What it asked for. */
    readonly path: string,
  ) {
    super(name, hostName, far, world)
  }

  /** Sends a text or binary message, once the connection is open. */
  override send(data: string | Uint8Array): void {
    const opcode = typeof data === 'string' ? 1 : 2
    const payload = toBytes(data)
    this.whenOpen(() => {
      if (this.state !== 'open') return
      this.world.story.add(
        this.name,
        opcode === 1 ? 'sends text:' : 'sends binary:',
        payload.length,
      )
      this.world.mischief.message(this, opcode, payload)
    })
  }

  ping(payload: string | Uint8Array = ''): void {
    this.whenOpen(() => this.sendFrame(true, 9, toBytes(payload)))
  }

  /** Begins the closing handshake. */
  close(code = 1000, reason = ''): void {
    this.whenOpen(() => {
      if (this.closeSent || this.state !== 'open') return
      this.world.story.add(this.name, 'closes with', code)
      this.sendClose(code, reason)
      this.state = 'closing'
    })
  }

  /** One frame, as it is told. */
  sendFrame(fin: boolean, opcode: number, payload: Uint8Array, rsv = 0, masked = true): boolean {
    return this.transmit(this.frames.encode(fin, opcode, payload, rsv, masked))
  }

  override connected(): void {
    super.connected()
    this.state = 'handshake'
    this.world.mischief.connected(this, this.request.head)
  }

  override get waitsFor(): string | undefined {
    const waits = super.waitsFor
    if (waits !== undefined || this.far.pipe?.isDead === true) return waits
    if (this.state === 'handshake') return 'an answer to its handshake'
    if (this.state === 'closing') return "the host's close frame, or the end"
    return undefined
  }

  protected override take(bytes: Buffer): void {
    if (this.state === 'handshake') this.takeHead(bytes)
    else if (this.refused === undefined) this.takeFrames(bytes)
  }

  protected override ended(): void {
    const { theirs } = this
    this.closed ??= {
      code: theirs?.code ?? 1006,
      reason: theirs?.reason ?? '',
      clean: theirs !== undefined && this.closeSent,
    }
    super.ended()
  }

  private whenOpen(act: () => void): void {
    if (this.state === 'connecting' || this.state === 'handshake') this.outbox.push(act)
    else act()
  }

  private takeHead(bytes: Buffer): void {
    this.head = this.head.length === 0 ? bytes : Buffer.concat([this.head, bytes])
    const end = this.head.indexOf('\r\n\r\n')
    if (end < 0) return
    const response = parseResponse(this.head.toString('latin1', 0, end))
    const rest = this.head.subarray(end + 4)
    this.state = 'open'
    if (response.status !== 101) {
      this.world.story.add(this.name, 'is refused:', response.status)
      this.refused = response
      return
    }
    const accept = acceptOf(this.request.key)
    if (response.headers.get('sec-websocket-accept') !== accept && !this.isGarbled)
      throw new Error(`RFC 6455 4.2.2: Sec-WebSocket-Accept is not ${accept}`)
    this.world.story.add(this.name, 'is open')
    for (const act of this.outbox.splice(0)) act()
    this.onOpen?.()
    if (rest.length > 0) this.takeFrames(rest)
  }

  private takeFrames(bytes: Buffer): void {
    // What was changed on its way says nothing about who sent it.
    for (const frame of this.decoder.decode(bytes)) this.takeFrame(frame)
  }

  private takeFrame({ fin, opcode, payload }: Frame): void {
    if (opcode === 8) this.takeClose(payload)
    else if (opcode === 9) {
      this.pings += 1
      this.world.story.add(this.name, 'is pinged')
      if (!this.closeSent) this.sendFrame(true, 10, payload)
    } else if (opcode === 10) this.pongs.push(payload)
    else {
      if (opcode !== 0) this.pieceOpcode = opcode
      if (!fin || this.pieces.length > 0) this.pieces.push(payload)
      if (!fin) return
      const whole = this.pieces.length > 0 ? Buffer.concat(this.pieces.splice(0)) : payload
      const message = this.pieceOpcode === 1 ? strictText(whole) : whole
      this.world.story.add(this.name, 'receives bytes:', whole.length)
      this.received.push(message)
      this.onMessage?.(message)
    }
  }

  private takeClose(payload: Buffer): void {
    const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
    this.theirs = { code, reason: payload.toString('utf8', 2) }
    this.world.story.add(this.name, 'receives close', code)
    this.state = 'closing'
    if (!this.closeSent) this.sendClose(code, '')
  }

  private sendClose(code: number, reason: string): void {
    this.closeSent = true
    const payload = Buffer.alloc(code === 1005 ? 0 : 2 + Buffer.byteLength(reason))
    if (code !== 1005) {
      payload.writeUInt16BE(code, 0)
      payload.write(reason, 2)
    }
    this.sendFrame(true, 8, payload)
  }
}
