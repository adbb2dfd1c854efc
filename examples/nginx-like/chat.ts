/**
 * The chat: one room, a bounded history, and members that may be slow.
 *
 * Nobody waits for a slow member: what it missed comes from the history once it takes data again,
 * and what fell out of the history meanwhile is counted. Binary messages are ballast, for who wants
 * to see a connection fill: they are counted and dropped. Knows nothing of pages and poll sets.
 */
import {
  callbackOnWritable,
  close,
  defineProtocol,
  getContext,
  getSocketFd,
  isBinary,
} from 'extpoll'
import { prepareFrame, TEXT, write, writePrepared } from 'extpoll'
import type { Handlers, PreparedFrame, ProtocolDefinition, WriteResult, Wsi } from 'extpoll'
import type { Meter } from './meter.js'
import type { Valves } from './valves.js'

export const MAX_NAME_CHARS = 24
export const MAX_TEXT_CHARS = 500
const MAX_HISTORY_LINES = 50
/** In a room with more members nobody is told who came and who left. */
const MAX_ANNOUNCED_MEMBERS = 30

interface Member {
  readonly wsi: Wsi
  fd: number
  name: string
  /** Whoever has it may pause this connection. */
  key: string
  /** Of the ballast it sent. */
  ballastBytes: number
  /** The last line it was sent. */
  seq: number
  /** Told 'backpressure': SERVER_WRITEABLE goes on. */
  behind: boolean
}

/** Someone said something, or something happened to someone; ready to be sent. */
interface Line {
  readonly seq: number
  readonly frame: PreparedFrame
}

/** What a page may send: a new name, or something to say. */
type Request = { readonly name: string } | { readonly say: string }

/** What the chat needs of the program around it. */
export interface ChatSurroundings {
  readonly meter: Meter
  readonly valves: Valves
  /** Handlers that it has beside its own: whom to let in, and what the first protocol answers. */
  readonly handlers: Pick<Handlers<Member>, 'FILTER_PROTOCOL_CONNECTION' | 'HTTP'>
  /** Hears which descriptor is whose. */
  readonly onMember: (fd: number, name: string) => void
}

export function chatProtocol(around: ChatSurroundings): ProtocolDefinition<Member> {
  const { meter, valves, onMember } = around
  const room = new Room(meter)
  const createSession = (wsi: Wsi): Member => ({
    wsi,
    fd: -1,
    name: '',
    key: '',
    ballastBytes: 0,
    seq: 0,
    behind: false,
  })
  return defineProtocol<Member>({
    name: 'chat',
    createSession,
    handlers: {
      ...around.handlers,
      ESTABLISHED(wsi, { target }, member) {
        member.fd = getSocketFd(wsi)
        member.key = valves.issue(wsi)
        room.join(member, nameIn(target))
        onMember(member.fd, member.name)
      },
      RECEIVE(wsi, data, member) {
        meter.received()
        if (isBinary(wsi)) {
          member.ballastBytes += data.length
          send(member, { type: 'ballast', bytes: member.ballastBytes })
          return
        }
        const request = parseRequest(data.toString())
        if (request === undefined) {
          close(
            wsi,
            1008,
            `send {"say":TEXT} or {"name":NAME}, ${MAX_TEXT_CHARS} characters at most`,
          )
        } else if ('say' in request) {
          room.post(member, { text: request.say })
        } else {
          room.rename(member, request.name)
          onMember(member.fd, member.name)
        }
      },
      SERVER_WRITEABLE(_wsi, _data, member) {
        member.behind = false
        room.bringUpToDate(member)
      },
      CLOSED(_wsi, _info, member) {
        valves.revoke(member.key)
        room.leave(member)
      },
    },
  })
}

class Room {
  readonly #meter: Meter
  readonly #members = new Set<Member>()
  readonly #history: Line[] = []
  #seq = 0
  #guests = 0

  constructor(meter: Meter) {
    this.#meter = meter
  }

  join(member: Member, name: string | undefined): void {
    member.name = name ?? `Guest ${++this.#guests}`
    member.seq = this.#seq - this.#history.length
    this.#members.add(member)
    greet(member)
    this.#happened(member, 'came')
    this.bringUpToDate(member)
  }

  leave(member: Member): void {
    if (this.#members.delete(member)) this.#happened(member, 'left')
  }

  rename(member: Member, name: string): void {
    if (name === member.name) return
    this.#happened(member, `is now ${name}`)
    member.name = name
    greet(member)
  }

  post({ fd, name }: Member, what: { readonly text: string } | { readonly event: string }): void {
    const seq = ++this.#seq
    const json = JSON.stringify({ type: 'line', seq, fd, name, ...what })
    this.#history.push({ seq, frame: prepareFrame(json, TEXT) })
    if (this.#history.length > MAX_HISTORY_LINES) this.#history.shift()
    for (const member of this.#members) this.bringUpToDate(member)
  }

  bringUpToDate(member: Member): void {
    const first = this.#history[0]?.seq ?? this.#seq + 1
    const missed = first - 1 - member.seq
    if (missed > 0 && !member.behind) {
      member.seq += missed
      send(member, { type: 'missed', lines: missed })
    }
    let sent = 0
    for (let at = Math.max(0, member.seq + 1 - first); at < this.#history.length; at++) {
      if (member.behind) break
      const { seq, frame } = this.#history[at]!
      member.seq = seq
      settle(member, writePrepared(member.wsi, frame))
      sent++
    }
    if (sent > 0) this.#meter.sent(sent)
  }

  #happened(member: Member, event: string): void {
    if (this.#members.size <= MAX_ANNOUNCED_MEMBERS) this.post(member, { event })
  }
}

/** Tells a member who it is. */
function greet(member: Member): void {
  const { fd, name, key } = member
  send(member, { type: 'you', fd, name, key })
}

function send(member: Member, message: object): void {
  settle(member, write(member.wsi, JSON.stringify(message), TEXT))
}

function settle(member: Member, result: WriteResult): void {
  // 'full' closes it, and 'closed' needs nothing: CLOSED comes either way.
  if (result !== 'backpressure') return
  member.behind = true
  callbackOnWritable(getContext(member.wsi), member.wsi)
}

/** A page may come with a name: `/?name=Ann`. */
function nameIn(target: string): string | undefined {
  const query = new URLSearchParams(target.split('?', 2)[1])
  return bounded(query.get('name'), MAX_NAME_CHARS)
}

function parseRequest(json: string): Request | undefined {
  let request: unknown
  try {
    request = JSON.parse(json)
  } catch {
    return undefined
  }
  if (typeof request !== 'object' || request === null) return undefined
  if ('say' in request) {
    const say = bounded(request.say, MAX_TEXT_CHARS)
    return say === undefined ? undefined : { say }
  }
  const name = 'name' in request ? bounded(request.name, MAX_NAME_CHARS) : undefined
  return name === undefined ? undefined : { name }
}

/** One line of text, from one character to so many. */
function bounded(text: unknown, maxChars: number): string | undefined {
  if (typeof text !== 'string') return undefined
  const line = text.replace(/\p{Cc}+/gu, ' ').trim()
  return line.length >= 1 && line.length <= maxChars ? line : undefined
}
