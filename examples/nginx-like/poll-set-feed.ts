/**
 * Tells each viewer what happens in the poll set: some times a second, never more than it takes.
 *
 * One message holds what changed since the last one; a viewer that is behind gets none, and then
 * one for all that it missed. With no viewer, or no news, nothing runs. Viewers may turn the valves
 * of their own page. Knows nothing of chats and pages.
 */
import { batch, callbackOnWritable, close, defineProtocol, getSocketFd } from 'extpoll'
import { getContext, prepareFrame, TEXT, write, writePrepared } from 'extpoll'
import type { Context, Handlers, PreparedFrame, ProtocolDefinition, Wsi } from 'extpoll'
import type { Meter } from './meter.js'
import { BEGINNING, FEED } from './poll-set-mirror.js'
import type { Mark, PollSetMirror } from './poll-set-mirror.js'
import type { Valves } from './valves.js'

/** Between two messages to the same viewer. */
const PACE_MS = 100
/** Valves that a viewer keeps closed: a page needs one. The next one opens the first of them. */
const MAX_CLOSED = 8

interface Viewer {
  readonly wsi: Wsi
  /** Up to where it was told. */
  mark: FeedMark
  /** Told 'backpressure': SERVER_WRITEABLE goes on. */
  behind: boolean
  /** Something happened that it was not told. */
  stale: boolean
  /** The valves it closed; they do not stay closed without it. */
  readonly closed: Set<string>
}

interface FeedMark extends Mark {
  /** Seconds from this one on are not told yet. */
  readonly second: number
}

const UNTOLD: FeedMark = { ...BEGINNING, second: 0 }

/** What the feed needs of the program around it. */
export interface FeedSurroundings {
  readonly mirror: PollSetMirror
  readonly meter: Meter
  readonly valves: Valves
  /** Who may view, as FILTER_PROTOCOL_CONNECTION. */
  readonly filter: NonNullable<Handlers<Viewer>['FILTER_PROTOCOL_CONNECTION']>
  /** The clock of meter and mirror, in milliseconds. */
  readonly now: () => number
}

export class PollSetFeed {
  readonly protocol: ProtocolDefinition<Viewer>
  readonly #mirror: PollSetMirror
  readonly #meter: Meter
  readonly #now: () => number
  readonly #viewers = new Set<Viewer>()
  /** Up to where those that are not behind were told. */
  #published = UNTOLD
  #publishedMs = -PACE_MS

  constructor({ mirror, meter, valves, filter, now }: FeedSurroundings) {
    this.#mirror = mirror
    this.#meter = meter
    this.#now = now
    const createSession = (wsi: Wsi): Viewer => ({
      wsi,
      mark: UNTOLD,
      behind: false,
      stale: false,
      closed: new Set(),
    })
    this.protocol = defineProtocol<Viewer>({
      name: 'pollset',
      createSession,
      handlers: {
        FILTER_PROTOCOL_CONNECTION: filter,
        ESTABLISHED: (wsi, _request, viewer) => {
          const fd = getSocketFd(wsi)
          this.#mirror.label(fd, FEED)
          this.#viewers.add(viewer)
          write(wsi, JSON.stringify({ type: 'you', fd }), TEXT)
          this.#tell([viewer])
        },
        RECEIVE: (wsi, data, viewer) => {
          if (!turnValve(valves, viewer, data.toString()))
            close(wsi, 1008, 'send {"pause":KEY} or {"resume":KEY}, the key from the chat')
        },
        SERVER_WRITEABLE: (_wsi, _data, viewer) => {
          viewer.behind = false
          if (viewer.stale) this.#tell([viewer])
        },
        CLOSED: (_wsi, _info, viewer) => {
          this.#viewers.delete(viewer)
          for (const key of viewer.closed) valves.turn(key, true)
        },
      },
    })
  }

  /** How long the loop may wait before `publish` has something to do; -1 without limit. */
  timeoutMs(): number {
    const dueMs = this.#dueMs()
    return dueMs === Infinity ? -1 : Math.max(0, dueMs - this.#now())
  }

  /** At the end of each round of the loop: one message to each viewer, if it is time for one. */
  publish(ctx: Context): void {
    const nowMs = this.#now()
    if (this.#dueMs() > nowMs) return
    this.#publishedMs = nowMs
    this.#published = batch(ctx, () => this.#tell(this.#viewers))
  }

  #dueMs(): number {
    if (this.#viewers.size === 0) return Infinity
    const paceMs = this.#publishedMs + PACE_MS
    return this.#mirror.isNews(this.#published) ? paceMs : Math.max(paceMs, this.#meter.dueMs())
  }

  /** Viewers that know the same are told the same, by one frame. */
  #tell(viewers: Iterable<Viewer>): FeedMark {
    const frames = new Map<FeedMark, PreparedFrame | null>()
    const mark = { ...this.#mirror.mark(), second: Math.floor(this.#now() / 1000) }
    for (const viewer of viewers) {
      viewer.stale = viewer.behind
      if (viewer.behind) continue
      let frame = frames.get(viewer.mark)
      if (frame === undefined) frames.set(viewer.mark, (frame = this.#frameSince(viewer.mark)))
      viewer.mark = mark
      if (frame !== null) this.#write(viewer, frame)
    }
    return mark
  }

  /** @returns null where there is nothing to tell */
  #frameSince(mark: FeedMark): PreparedFrame | null {
    const seconds = this.#meter.since(mark.second)
    if (seconds.length === 0 && !this.#mirror.isNews(mark)) return null
    const { counts } = this.#mirror
    const news = this.#mirror.since(mark)
    const message = { type: 'pollset', nowMs: this.#now(), ...news, counts, seconds }
    return prepareFrame(JSON.stringify(message), TEXT)
  }

  #write(viewer: Viewer, frame: PreparedFrame): void {
    if (writePrepared(viewer.wsi, frame) !== 'backpressure') return
    viewer.behind = true
    callbackOnWritable(getContext(viewer.wsi), viewer.wsi)
  }
}

/** @returns false where that was no request */
function turnValve(valves: Valves, { closed }: Viewer, json: string): boolean {
  let request: unknown
  try {
    request = JSON.parse(json)
  } catch {
    return false
  }
  const { pause, resume } = (request ?? {}) as { pause?: unknown; resume?: unknown }
  if (typeof pause === 'string') {
    if (valves.turn(pause, false)) closed.add(pause)
    const [first] = closed
    if (closed.size > MAX_CLOSED && closed.delete(first!)) valves.turn(first!, true)
    return true
  }
  if (typeof resume !== 'string') return false
  if (closed.delete(resume)) valves.turn(resume, true)
  return true
}
