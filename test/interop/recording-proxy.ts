/**
 * Between a client and a server of TCP: passes bytes on, and keeps them, so that a test knows what
 * was said where neither side tells. Shares no code with the library.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { ServerFrameDecoder, type Frame } from '../../integrations/fake-poller.js'

/** What passed over one connection. */
export class Recording {
  readonly #clientBytes: Buffer[] = []
  readonly #serverBytes: Buffer[] = []
  serverByteCount = 0

  keep(side: 'client' | 'server', bytes: Buffer): void {
    if (side === 'client') this.#clientBytes.push(bytes)
    else {
      this.#serverBytes.push(bytes)
      this.serverByteCount += bytes.length
    }
  }

  /** The head of the request. */
  get request(): string {
    return headOf(Buffer.concat(this.#clientBytes))[0]
  }

  /** The head of the answer. */
  get answer(): string {
    return headOf(Buffer.concat(this.#serverBytes))[0]
  }

  /** The whole frames of the server; throws where one is what no server may send. */
  serverFrames(): Frame[] {
    return new ServerFrameDecoder().decode(headOf(Buffer.concat(this.#serverBytes))[1])
  }

  /** The whole frames of the client, unmasked. */
  clientFrames(): Frame[] {
    return maskedFrames(headOf(Buffer.concat(this.#clientBytes))[1])
  }
}

function headOf(bytes: Buffer): [head: string, rest: Buffer] {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return ['', Buffer.alloc(0)]
  return [bytes.toString('latin1', 0, end), bytes.subarray(end + 4)]
}

function maskedFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  let at = 0
  while (at + 2 <= bytes.length) {
    const short = bytes[at + 1]! & 0x7f
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
    const keyAt = at + 2 + lengthBytes
    if (keyAt + 4 > bytes.length) break
    const size =
      lengthBytes === 0
        ? short
        : bytes.readUIntBE(keyAt - Math.min(lengthBytes, 6), Math.min(lengthBytes, 6))
    const end = keyAt + 4 + size
    if (end > bytes.length) break
    const payload = Buffer.from(bytes.subarray(keyAt + 4, end))
    for (let i = 0; i < size; i++) payload[i] = payload[i]! ^ bytes[keyAt + (i & 3)]!
    frames.push({ fin: bytes[at]! >= 0x80, opcode: bytes[at]! & 0x0f, payload })
    at = end
  }
  return frames
}

export class RecordingProxy {
  readonly recordings: Recording[] = []
  port = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(serverPort: number) {
    this.#server = createServer((client) => this.#pass(client, serverPort))
  }

  /** Listens on a free port of 127.0.0.1, in front of `serverPort`. */
  static async start(serverPort: number): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(serverPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    proxy.port = (proxy.#server.address() as { port: number }).port
    return proxy
  }

  #pass(client: Socket, serverPort: number): void {
    const recording = new Recording()
    this.recordings.push(recording)
    const server = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true })
    for (const [side, from, to] of [
      ['client', client, server],
      ['server', server, client],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', (bytes: Buffer) => recording.keep(side, bytes))
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  }

  /** Waits until what passed is as wanted. @throws Error where it never is */
  async until(what: string, wanted: (recordings: readonly Recording[]) => boolean): Promise<void> {
    for (let tries = 0; tries < 1000; tries++) {
      if (wanted(this.recordings)) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`never came: ${what}`)
  }

  stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
