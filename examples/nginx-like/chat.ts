/**
 * The chat: one room, a bounded history, and members that may be slow.
 *
 * Nobody waits for a slow member: what it missed comes from the history once it takes data again,
 * and what fell out of the history meanwhile is counted. Knows nothing of pages and poll sets.
 */
import { callbackOnWritable, close, defineProtocol, getContext, getSocketFd } from 'extpoll'
import { TEXT, write } from 'extpoll'
import type { Handlers, ProtocolDefinition, Wsi } from 'extpoll'

export const MAX_NAME_CHARS = 24
export const MAX_TEXT_CHARS = 500
const MAX_HISTORY_LINES = 50

interface Member {
  readonly wsi: Wsi
  fd: number
  name: string
  /** The last line it was sent. */
  seq: number
  /** Told 'backpressure': SERVER_WRITEABLE goes on. */
  behind: boolean
}

/** Someone said something; without `text`, what happened to someone. */
interface Line {
  readonly type: 'line'
  readonly seq: number
  readonly fd: number
  readonly name: string
  readonly text?: string
  readonly event?: string
}

/** What a page may send: a new name, or something to say. */
type Request = { readonly name: string } | { readonly say: string }

/**
 * @param more handlers that the context's first protocol has beside the chat's
 * @param onMember hears which descriptor is whose
 */
export function chatProtocol(
  more: Pick<Handlers<Member>, 'HTTP'>,
  onMember: (fd: number, name: string) => void,
): ProtocolDefinition<Member> {
  const room = new Room()
  return defineProtocol<Member>({
    name: 'chat',
    createSession: (wsi) => ({ wsi, fd: -1, name: '', seq: 0, behind: false }),
    handlers: {
      ...more,
      ESTABLISHED(wsi, _request, member) {
        member.fd = getSocketFd(wsi)
        room.join(member)
        onMember(member.fd, member.name)
      },
      RECEIVE(wsi, data, member) {
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
        room.leave(member)
      },
    },
  })
}

class Room {
  readonly #members = new Set<Member>()
  readonly #history: Line[] = []
  #seq = 0
  #guests = 0

  join(member: Member): void {
    member.name = `Guest ${++this.#guests}`
    member.seq = this.#seq - this.#history.length
    this.#members.add(member)
    greet(member)
    this.post(member, { event: 'came' })
  }

  leave(member: Member): void {
    if (this.#members.delete(member)) this.post(member, { event: 'left' })
  }

  rename(member: Member, name: string): void {
    if (name === member.name) return
    this.post(member, { event: `is now ${name}` })
    member.name = name
    greet(member)
  }

  post({ fd, name }: Member, what: { readonly text: string } | { readonly event: string }): void {
    this.#history.push({ type: 'line', seq: ++this.#seq, fd, name, ...what })
    if (this.#history.length > MAX_HISTORY_LINES) this.#history.shift()
    for (const member of this.#members) this.bringUpToDate(member)
  }

  bringUpToDate(member: Member): void {
    const missed = (this.#history[0]?.seq ?? 1) - 1 - member.seq
    if (missed > 0 && !member.behind) {
      member.seq += missed
      send(member, { type: 'missed', lines: missed })
    }
    for (const line of this.#history) {
      if (member.behind) return
      if (line.seq <= member.seq) continue
      member.seq = line.seq
      send(member, line)
    }
  }
}

/** Tells a member who it is. */
function greet(member: Member): void {
  send(member, { type: 'you', fd: member.fd, name: member.name })
}

function send(member: Member, message: object): void {
  const { wsi } = member
  // 'full' closes it, and 'closed' needs nothing: CLOSED comes either way.
  if (write(wsi, JSON.stringify(message), TEXT) !== 'backpressure') return
  member.behind = true
  callbackOnWritable(getContext(wsi), wsi)
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
