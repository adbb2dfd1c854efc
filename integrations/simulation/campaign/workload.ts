/**
 * The built-in workload: some clients, some messages each, and an application that answers every
 * one of them, each time in another way of the library.
 *
 * Whatever goes wrong, a client's answers are a beginning of what it asked for, in order, none
 * twice; and where nothing harmed its connection, they are all of it. Refuses to know which faults
 * there are.
 */
import {
  BINARY,
  broadcast,
  callbackOnWritable,
  close,
  CONTINUATION,
  defineProtocol,
  getContext,
  getProtocol,
  hangup,
  isBinary,
  NO_FIN,
  PING,
  prepareFrame,
  rxFlowControl,
  TEXT,
  write,
  writePrepared,
} from '../../../src/index.js'
import type { PreparedFrame, ProtocolDefinition, Wsi } from '../../../src/index.js'
import type { SimPeer } from '../world/sim-peer.js'
import type { World } from '../world/world.js'

/** How the application answers, by the first letter of a message; all send it back. */
type Mode = 'e' | 'l' | 'f' | 'w' | 'g' | 'p' | 'b' | 'x' | 'h' | 'd' | 'k'

/** Of so many messages, that many in this mode: the first are simplest. */
const MODE_WEIGHTS: readonly (readonly [mode: Mode, weight: number])[] = [
  ['e', 40],
  ['l', 14],
  ['f', 8],
  ['w', 8],
  ['g', 6],
  ['p', 8],
  ['b', 8],
  ['x', 1],
  ['h', 1],
  ['d', 8],
  ['k', 1],
]
const WEIGHT_SUM = MODE_WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0)

const MAX_PEERS = 15
const MAX_MESSAGES = 39
const PAUSE_MAX_MS = 50
const LATER_MAX_MS = 30
const BROADCAST_MARK = '#'
/** Beyond ASCII: characters of one to four bytes. */
const LETTERS = 'ab\u00e9\u20ac\u{1f600}'

/** One connection, as the application sees it. */
interface Session {
  /** Its client's; -1 where it asked for the path of none. */
  number: number
  /** What is to be written when the connection can take it. */
  readonly later: { readonly data: Buffer; readonly kind: number }[]
  paused: boolean
}

/** One client, and what is expected of it. */
class Client {
  /** Decisions about it have labels of their own: one client less changes no other's. */
  readonly mark: string
  /** Every message sent, in order. */
  readonly sent: string[] = []
  /** Broadcasts that this connection was there for. */
  readonly broadcasts: string[] = []
  /** The application ends this connection. */
  endAsked = false
  peer!: SimPeer

  constructor(readonly number: number) {
    this.mark = `work.${number}`
  }

  /** The number twice: no bit that flips on the way makes it another client's. */
  get path(): string {
    return `/${this.number}/${this.number}`
  }
}

export class Workload {
  readonly protocol: ProtocolDefinition<Session>
  private readonly clients: Client[] = []
  private readonly open = new Map<number, Wsi>()
  private world!: World
  private prepared: { readonly text: string; readonly frame: PreparedFrame } | undefined
  /** Connections that the application does not read now, and answers that wait for their moment. */
  private paused = 0
  private waiting = 0

  constructor() {
    this.protocol = defineProtocol<Session>({
      name: 'work',
      payload: 'view',
      createSession: () => ({ number: -1, later: [], paused: false }),
      handlers: {
        ESTABLISHED: (wsi, { target }, session) => this.established(wsi, target, session),
        RECEIVE: (wsi, data, session) => this.receive(wsi, data, session),
        SERVER_WRITEABLE: (wsi, _data, session) => writeLater(wsi, session),
        BROADCAST: (wsi, data, session) => this.passOn(wsi, data, session),
        CLOSED: (_wsi, _info, session) => void this.open.delete(session.number),
      },
    })
  }

  /** Lets every client send its messages, and waits for the answers; then ends them all. */
  play(world: World): void {
    this.world = world
    const count = 1 + world.choose('work.peers', MAX_PEERS)
    let endMs = 0
    for (let number = 0; number < count; number += 1) endMs = Math.max(endMs, this.script(number))
    world.runFor(endMs + 1)
    world.run()
    world.faults.stop()
    world.run()
    // Pauses of the application that are left come to their end.
    while (this.paused > 0 || this.waiting > 0) {
      world.runFor(PAUSE_MAX_MS)
      world.run()
    }
    this.check()
    for (const { peer } of this.clients) peer.close()
    world.run()
    for (const { peer, endAsked } of this.clients) checkEnd(peer, endAsked)
  }

  /** Schedules a client. @returns when its last message is sent, from now */
  private script(number: number): number {
    const { world } = this
    const client = new Client(number)
    const { mark } = client
    const startMs = world.choose(`${mark}.start`, 20)
    const messages = world.choose(`${mark}.messages`, MAX_MESSAGES + 1)
    const connect = (): void => {
      client.peer = world.connect('work', { path: client.path })
      this.clients.push(client)
    }
    if (startMs === 0) connect()
    else world.after(startMs, connect)
    let atMs = startMs
    for (let index = 0; index < messages; index += 1) {
      atMs += Math.max(0, world.choose(`${mark}.gap`, 12) - 4)
      world.after(atMs, () => this.send(client, `${number}.${index}`))
    }
    return atMs
  }

  private send(client: Client, name: string): void {
    const { world } = this
    const { mark } = client
    const mode = modeAt(world.choose(`${mark}.mode`, WEIGHT_SUM))
    if (client.endAsked) return
    if (mode === 'x' || mode === 'h') client.endAsked = true
    const message = `${mode}${name} ${LETTERS.repeat(sizeAt(world, mark))}`
    client.sent.push(message)
    if (world.choose(`${mark}.binary`, 4) === 3 && mode !== 'b')
      client.peer.send(Buffer.from(message))
    else client.peer.send(message)
  }

  // --- The application

  private established(wsi: Wsi, target: string, session: Session): void {
    const client = this.clients.find(({ path }) => path === target)
    if (client === undefined) return
    session.number = client.number
    this.open.set(client.number, wsi)
  }

  private receive(wsi: Wsi, data: Buffer, session: Session): void {
    const kind = isBinary(wsi) ? BINARY : TEXT
    const mode = String.fromCharCode(data[0] ?? 0) as Mode
    if (session.later.length > 0 || mode === 'l' || mode === 'd') {
      // Order is kept: what comes after something that waits, waits too.
      session.later.push({ data: Buffer.from(data), kind })
      if (mode === 'd') this.answerLater(wsi, session)
      else callbackOnWritable(getContext(wsi), wsi)
    } else answer(wsi, data, kind, mode)
    if (mode === 'b') this.broadcast(wsi, data)
    if (mode === 'p') this.pause(wsi, session)
    if (mode === 'x') close(wsi, 1000, 'as asked')
    if (mode === 'h') hangup(wsi)
    if (mode === 'k') this.hangUpAnother(session)
  }

  /** From outside of any call. */
  private answerLater(wsi: Wsi, session: Session): void {
    this.waiting += 1
    this.world.after(1 + this.world.choose('work.later', LATER_MAX_MS), () => {
      this.waiting -= 1
      for (const { data, kind } of session.later.splice(0)) write(wsi, data, kind)
    })
  }

  /** Of a connection that may be in the same batch, before this one or after it. */
  private hangUpAnother({ number: own }: Session): void {
    const others = [...this.open].filter(([number]) => number !== own)
    const [number, wsi] = others[this.world.choose('work.other', Math.max(1, others.length))] ?? []
    if (number === undefined || wsi === undefined) return
    const client = this.clientAt(number)
    if (client !== undefined) client.endAsked = true
    hangup(wsi)
  }

  private broadcast(wsi: Wsi, data: Buffer): void {
    const text = BROADCAST_MARK + data.toString('utf8')
    const protocol = getProtocol(wsi)
    if (protocol === null) return
    for (const number of this.open.keys()) this.clientAt(number)?.broadcasts.push(text)
    broadcast(protocol, text)
  }

  /** Half of them send one frame that was prepared once, in this call or in an earlier one. */
  private passOn(wsi: Wsi, data: Buffer, { number }: Session): void {
    if (number % 2 === 0) {
      write(wsi, data, TEXT)
      return
    }
    const text = data.toString('utf8')
    if (this.prepared?.text !== text) this.prepared = { text, frame: prepareFrame(data, TEXT) }
    writePrepared(wsi, this.prepared.frame)
  }

  private pause(wsi: Wsi, session: Session): void {
    const { world } = this
    if (session.paused) return
    session.paused = true
    this.paused += 1
    rxFlowControl(wsi, 0)
    world.after(1 + world.choose('work.pause', PAUSE_MAX_MS), () => {
      session.paused = false
      this.paused -= 1
      rxFlowControl(wsi, 1)
    })
  }

  private clientAt(number: number): Client | undefined {
    return this.clients.find((client) => client.number === number)
  }

  // --- The judgement

  private check(): void {
    for (const { peer, sent, broadcasts, endAsked } of this.clients) {
      if (peer.isGarbled) continue
      const texts = peer.received.map((message) => message.toString())
      const whole = peer.harmedBy === undefined && !endAsked
      expectSame(
        peer,
        'answers',
        texts.filter((text) => !isBroadcast(text)),
        sent,
        whole,
      )
      expectSame(peer, 'broadcasts', texts.filter(isBroadcast), broadcasts, whole)
      if (whole && peer.state !== 'open')
        throw new Error(`${peer.name} was ended without a reason: ${describeEnd(peer)}`)
    }
  }
}

function answer(wsi: Wsi, data: Buffer, kind: number, mode: Mode): void {
  if (mode === 'f') {
    const half = data.length >> 1
    write(wsi, data.subarray(0, half), kind | NO_FIN)
    write(wsi, data.subarray(half), CONTINUATION)
  } else if (mode === 'w') writePrepared(wsi, prepareFrame(data, kind))
  else {
    if (mode === 'g') write(wsi, 'are you there?', PING)
    write(wsi, data, kind)
  }
}

function writeLater(wsi: Wsi, session: Session): void {
  const next = session.later.shift()
  if (next !== undefined) write(wsi, next.data, next.kind)
  if (session.later.length > 0) callbackOnWritable(getContext(wsi), wsi)
}

function modeAt(choice: number): Mode {
  let left = choice
  for (const [mode, weight] of MODE_WEIGHTS) {
    if (left < weight) return mode
    left -= weight
  }
  return 'e'
}

/** Characters of a message: mostly few, sometimes more than a cork, a buffer or a budget holds. */
function sizeAt(world: World, mark: string): number {
  const kind = world.choose(`${mark}.size`, 40)
  if (kind < 34) return kind >> 1
  if (kind < 39) return world.choose(`${mark}.middle`, 200)
  return 500 + world.choose(`${mark}.large`, 4000)
}

function isBroadcast(text: string): boolean {
  return text.startsWith(BROADCAST_MARK)
}

/** @param whole all of it; else a beginning will do */
function expectSame(
  peer: SimPeer,
  what: string,
  got: readonly string[],
  wanted: readonly string[],
  whole: boolean,
): void {
  const differs = got.findIndex((text, index) => text !== wanted[index])
  if (differs >= 0) {
    const [is, be] = [got[differs], wanted[differs]].map((text) =>
      JSON.stringify(text?.slice(0, 20)),
    )
    throw new Error(`${what} of ${peer.name}: number ${differs} is ${is}, and should be ${be}`)
  }
  if (whole && got.length < wanted.length)
    throw new Error(`${what} of ${peer.name}: ${got.length} came, of ${wanted.length}`)
}

function checkEnd(peer: SimPeer, endAsked: boolean): void {
  if (peer.harmedBy !== undefined) return
  if (peer.closed === undefined) throw new Error(`${peer.name} was closed, and its end never came`)
  const { code, clean } = peer.closed
  if (!endAsked && (code !== 1000 || !clean))
    throw new Error(`${peer.name} did not end as it should: ${describeEnd(peer)}`)
}

function describeEnd({ refused, closed }: SimPeer): string {
  if (refused !== undefined) return `refused with ${refused.status}`
  return closed === undefined ? 'no end' : `${closed.code} ${closed.reason}`.trim()
}
