/**
 * Programs of the project in processes of their own, and `ws` clients that remember what came.
 *
 * What a test leaves running is ended after it. Knows no program by name.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { WebSocket, type ClientOptions } from 'ws'
import { patience } from './effort.js'
import { afterEveryTest } from './every-test.js'

export const projectRoot = fileURLToPath(new URL('../../', import.meta.url))

/** How a program ended. */
export interface ProgramEnd {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  /** From the signal that was to end it; 0 where it ended by itself. */
  readonly endingMs: number
}

const PATIENCE_MS = patience(2000)

const running = new Set<Program>()
const clients = new Set<Client>()

export class Program {
  stdout = ''
  stderr = ''
  readonly process: ChildProcess
  readonly ended: Promise<ProgramEnd>
  #signalledMs = 0

  constructor(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.process = spawn(command, args, { cwd: projectRoot, env: { ...process.env, ...env } })
    this.process.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()))
    this.process.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    this.ended = this.#watch()
    running.add(this)
  }

  /** Its first line, as soon as it is there. @throws Error where it ends without */
  async firstLine(): Promise<string> {
    while (!this.stdout.includes('\n')) {
      const ended = await Promise.race([once(this.process.stdout!, 'data'), this.ended])
      if ('status' in ended) throw new Error(`it ended with ${ended.status}: ${this.stderr}`)
    }
    return this.stdout.slice(0, this.stdout.indexOf('\n'))
  }

  signal(signal: NodeJS.Signals): Promise<ProgramEnd> {
    if (this.#signalledMs === 0) this.#signalledMs = performance.now()
    this.process.kill(signal)
    return this.ended
  }

  async #watch(): Promise<ProgramEnd> {
    const exited = once(this.process, 'exit').then(() => performance.now())
    const [status, signal] = (await once(this.process, 'close')) as [number, NodeJS.Signals]
    running.delete(this)
    const endingMs = this.#signalledMs === 0 ? 0 : (await exited) - this.#signalledMs
    return { status, signal, endingMs }
  }
}

/** A `ws` client. What came before it was asked for waits in order. */
export class Client {
  readonly socket: WebSocket
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #messages: { data: Buffer; binary: boolean }[] = []
  /** Who waits for a message, one for each `next` in hand. */
  readonly #waiting: (() => void)[] = []

  /** @param protocols subprotocols to offer */
  constructor(url: string, protocols: readonly string[] = [], options: ClientOptions = {}) {
    this.socket = new WebSocket(url, [...protocols], options)
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
    this.socket.on('error', () => {})
    this.socket.on('message', (data: Buffer, binary) => {
      this.#messages.push({ data, binary })
      this.#arrived()
    })
    void this.closed.then(() => this.#arrived())
    clients.add(this)
  }

  /** Goes through the opening handshake. @throws Error where it is refused */
  static async open(
    url: string,
    protocols: readonly string[] = [],
    options: ClientOptions = {},
  ): Promise<Client> {
    const client = new Client(url, protocols, options)
    await once(client.socket, 'open')
    return client
  }

  #arrived(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** The next message. @throws Error where the connection closed instead */
  async next(): Promise<{ data: Buffer; binary: boolean }> {
    for (;;) {
      const message = this.#messages.shift()
      if (message !== undefined) return message
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('closed: no message came')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** Messages as JSON, until one is as asked. */
  async nextJson<T>(fits: (message: Record<string, unknown>) => T | undefined): Promise<T> {
    for (;;) {
      const { data } = await this.next()
      const answer = fits(JSON.parse(data.toString()) as Record<string, unknown>)
      if (answer !== undefined) return answer
    }
  }
}

/** The answer to a handshake that is refused: its status and body. */
export async function refusalOf(
  url: string,
  protocols: readonly string[] = [],
  options: ClientOptions = {},
): Promise<{ status: number; body: string }> {
  const { socket } = new Client(url, protocols, options)
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    AsyncIterable<Buffer> & { statusCode: number },
  ]
  let body = ''
  for await (const chunk of response) body += chunk.toString()
  return { status: response.statusCode, body }
}

/** A port of 127.0.0.1 that was free a moment ago, and a function that gives it back. */
export async function takePort(): Promise<{ port: number; release: () => Promise<void> }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    port,
    async release() {
      server.close()
      await once(server, 'close')
    },
  }
}

/** They end as they should, and leave nothing behind; who does not end is killed. */
afterEveryTest(async () => {
  for (const client of clients) client.socket.terminate()
  clients.clear()
  await Promise.all(
    [...running].map(async (program) => {
      const killing = setTimeout(() => program.process.kill('SIGKILL'), PATIENCE_MS)
      await program.signal('SIGTERM')
      clearTimeout(killing)
    }),
  )
})
