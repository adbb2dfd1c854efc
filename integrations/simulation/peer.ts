/**
 * The far end of a connection, as a test holds it: whom the library talks to.
 *
 * Knows bytes only; ws-peer.ts speaks WebSocket through it.
 */
import { Errno } from '../../src/index.js'
import type { Closing, Endpoint } from './endpoint.js'
import type { Script } from './script.js'

export class Peer {
  constructor(protected readonly far: Endpoint) {}

  /**
   * The library's descriptor of this connection; -1 before it was accepted and after it was closed.
   */
  get fd(): number {
    return this.far.other.fd
  }

  /**
   * Results of the library's next recv and send on this connection, one per call: `3` takes or
   * gives
   * at most three bytes, a negative number (WOULD_BLOCK, -Errno.ECONNRESET) is the answer, and `0`
   * to recv is an end of file.
   */
  get script(): { readonly recv: Script; readonly send: Script } {
    return this.far.other.script
  }

  /** How the library closed its end; undefined while it has not. */
  get closed(): Closing | undefined {
    return this.far.other.closed
  }

  /** Nothing more will come: the library closed, reset, or ended its sending direction. */
  get ended(): boolean {
    return this.far.finReceived || this.far.cut
  }

  /**
   * The connection was reset by the library, or by its kernel because it closed with bytes unread.
   */
  get wasReset(): boolean {
    return this.far.cut
  }

  /** Bytes sent by this peer that the library has not read yet. */
  get unreadBytes(): number {
    return this.far.other.inbound.lengthBytes
  }

  /** How many unread bytes this end holds before the library's send would block. */
  get windowBytes(): number {
    return this.far.windowBytes
  }

  set windowBytes(bytes: number) {
    this.far.windowBytes = bytes
    this.far.other.roomChanged()
  }

  /** Sends bytes. A text is sent as UTF-8. @returns false: they go nowhere any more */
  send(data: string | Uint8Array): boolean {
    return this.sendPiece(toBytes(data), false)
  }

  /** Sends bytes so that no recv delivers bytes of two pieces. @returns as `send` */
  sendPieces(pieces: readonly (string | Uint8Array)[]): boolean {
    return pieces.every((piece) => this.sendPiece(toBytes(piece), true))
  }

  /** Ends the sending direction: the library reads an end of file after what was sent. */
  end(): void {
    this.far.end()
  }

  /** Resets the connection: the library may read what was sent, then meets ECONNRESET. */
  reset(): void {
    this.far.cut = true
    this.far.transmitReset()
  }

  /** Completes a connection that the library began (`poller.dialled`). */
  establish(): void {
    this.far.other.connecting = false
    this.far.other.activity()
  }

  /** Refuses it instead. */
  refuse(errno: number = Errno.ECONNREFUSED): void {
    this.far.other.cutOff(errno)
  }

  /** Everything the library sent that nobody took yet. */
  received(): Buffer {
    return this.far.inbound.peek()
  }

  /** Takes it, which makes room for more. */
  take(): Buffer {
    const bytes = this.far.inbound.take()
    this.far.madeRoom()
    return bytes
  }

  private sendPiece(bytes: Uint8Array, border: boolean): boolean {
    const { far } = this
    const near = far.other
    const isOver = far.pipe === null ? near.closed !== undefined || near.cut : far.cut
    if (isOver || far.finSent) return false
    far.transmit(border ? bytes : Buffer.from(bytes), border)
    return true
  }
}

export function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data
}
