/**
 * A Unix socket that answers `status`, in the same poll set as everything else.
 *
 * Descriptors of the program's own, with handlers of its own, over the library's socket functions.
 * Whoever may open the socket may ask; it answers one question and hangs up. Knows no WebSocket.
 */
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errnoName, POLLIN, POLLOUT, WOULD_BLOCK } from 'extpoll'
import { recvText, socketIo } from 'extpoll/epoll'
import type { EventActions } from './event-actions.js'

/** Who comes when so many are asking already takes the place of the one that asks longest. */
const MAX_CLIENTS = 8
/** Who may wait to be accepted while the loop is busy; others are refused by the kernel. */
const BACKLOG = 64
const MAX_REQUEST_BYTES = 64
const COMMAND = 'status'

interface Client {
  asked: string
  /** What of the answer is not sent yet. */
  answer: Buffer | null
}

export class ControlSocket {
  /** In a new folder that only its owner may enter. */
  readonly path: string
  readonly #folder: string
  readonly #actions: EventActions
  readonly #status: () => object
  readonly #listenFd: number
  readonly #clients = new Map<number, Client>()
  readonly #buffer = socketIo.createBuffer(MAX_REQUEST_BYTES)

  /** @throws Error with a code, where nothing can listen there */
  constructor(actions: EventActions, status: () => object) {
    this.#actions = actions
    this.#status = status
    this.#folder = mkdtempSync(join(tmpdir(), 'extpoll-demo-'))
    this.path = join(this.#folder, 'control')
    const where = { address: '', port: 0, path: this.path, backlog: BACKLOG }
    this.#listenFd = socketIo.listen(where)
    if (this.#listenFd < 0) {
      rmdirSync(this.#folder)
      const code = errnoName(this.#listenFd)
      const remedy = code === 'ENAMETOOLONG' ? '; give TMPDIR a shorter name' : ''
      throw Object.assign(new Error(`cannot listen on ${this.path}: ${code}${remedy}`), { code })
    }
    actions.add(this.#listenFd, POLLIN, () => this.#accept(), { what: 'control listener' })
  }

  close(): void {
    for (const fd of [...this.#clients.keys()]) this.#hangUp(fd)
    this.#actions.del(this.#listenFd)
    // Takes the file of the socket with it.
    socketIo.close(this.#listenFd, false)
    socketIo.freeBuffer(this.#buffer)
    rmdirSync(this.#folder)
  }

  /** One for each readiness: the set is level-triggered, so the next one is told again. */
  #accept(): void {
    const fd = socketIo.accept(this.#listenFd)
    if (fd < 0) return
    const [longest] = this.#clients.keys()
    if (this.#clients.size === MAX_CLIENTS) this.#hangUp(longest!)
    this.#clients.set(fd, { asked: '', answer: null })
    this.#actions.add(fd, POLLIN, () => this.#serve(fd), { what: 'control client' })
  }

  #serve(fd: number): void {
    const client = this.#clients.get(fd)
    if (client === undefined) return
    if (client.answer !== null) {
      this.#send(fd, client)
      return
    }
    const text = recvText(fd, this.#buffer)
    if (text === WOULD_BLOCK) return
    if (typeof text === 'number' || text === '') {
      this.#hangUp(fd)
      return
    }
    client.asked += text
    const asked = client.asked.trim()
    // `printf status | nc -U` sends no line end and waits: the whole word is the whole question.
    const unfinished =
      COMMAND.startsWith(asked) && asked !== COMMAND && !client.asked.includes('\n')
    if (unfinished && client.asked.length < MAX_REQUEST_BYTES) return
    client.answer = Buffer.from(asked === COMMAND ? format(this.#status()) : `ask: ${COMMAND}\n`)
    this.#actions.disable(fd, POLLIN)
    this.#actions.enable(fd, POLLOUT)
  }

  /** What the socket takes of the answer; POLLOUT goes on with the rest. */
  #send(fd: number, client: Client): void {
    const sent = socketIo.sendv(fd, [client.answer!])
    if (sent === WOULD_BLOCK) return
    if (sent > 0) client.answer = client.answer!.subarray(sent)
    if (sent < 0 || client.answer!.length === 0) this.#hangUp(fd)
  }

  #hangUp(fd: number): void {
    this.#clients.delete(fd)
    this.#actions.del(fd)
    socketIo.close(fd, false)
  }
}

/** JSON, a line for each member of its lists, so that people can read it too. */
function format(status: object): string {
  const fields = Object.entries(status).map(([name, value]: [string, unknown]) => {
    if (!Array.isArray(value)) return `"${name}": ${JSON.stringify(value)}`
    return `"${name}": [\n${value.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]`
  })
  return `{${fields.join(',\n')}}\n`
}
