/**
 * A WebSocket client without a loop of its own: bytes in and out of a socket of the kernel, while
 * the test's one thread services the contexts.
 */
import assert from 'node:assert/strict'
import { socketIo } from '../../integrations/epoll.js'
import { getListenAddress, type Context } from '../../src/index.js'

const upgrade = Buffer.from(
  [
    'GET / HTTP/1.1',
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '\r\n',
  ].join('\r\n'),
)

const MAX_ROUNDS = 2000
const buffer = () => (shared ??= socketIo.createBuffer(65_536))
let shared: ReturnType<typeof socketIo.createBuffer> | undefined

export class LoopClient {
  readonly fd: number
  #received = Buffer.alloc(0)

  /** A TCP connection and no more: nothing was sent. */
  constructor(ctx: Context) {
    this.fd = socketIo.connect(getListenAddress(ctx)!)
    assert.ok(this.fd > 2, `connect answered ${this.fd}`)
  }

  /** Upgraded. @param round one round of the loop that services the context */
  static open(ctx: Context, round: () => unknown): LoopClient {
    const client = new LoopClient(ctx)
    client.send(upgrade)
    client.until(round, (bytes) => bytes.includes('\r\n\r\n'))
    assert.match(client.take().toString('latin1'), /^HTTP\/1\.1 101 /)
    return client
  }

  /** At most a socket buffer full. */
  send(bytes: Buffer): void {
    assert.equal(socketIo.sendv(this.fd, [bytes]), bytes.length)
  }

  /** A whole binary message of at most 125 bytes, masked with zeros. */
  sendMessage(text: string): void {
    const payload = Buffer.from(text)
    this.send(Buffer.from([0x82, 0x80 | payload.length, 0, 0, 0, 0, ...payload]))
  }

  /** Rounds until what came and was not taken is as wanted. */
  until(round: () => unknown, wanted: (received: Buffer) => boolean): void {
    for (let rounds = 0; !wanted(this.#received); rounds++) {
      assert.ok(rounds < MAX_ROUNDS, `only this came: ${this.#received.toString('latin1')}`)
      round()
      const count = socketIo.recv(this.fd, buffer(), 0, buffer().bytes.length)
      if (count > 0)
        this.#received = Buffer.concat([this.#received, buffer().bytes.subarray(0, count)])
    }
  }

  /** Rounds until the echo of a message of at most 125 bytes came; nothing else may come. */
  untilEchoed(round: () => unknown, text: string): void {
    const length = Buffer.byteLength(text)
    this.until(round, (bytes) => bytes.length >= length + 2)
    assert.deepEqual(this.take(), Buffer.from([0x82, length, ...Buffer.from(text)]))
  }

  take(): Buffer {
    const taken = this.#received
    this.#received = Buffer.alloc(0)
    return taken
  }

  /** The peer is gone at once: RST. */
  reset(): void {
    socketIo.close(this.fd, true)
  }
}
