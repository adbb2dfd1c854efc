/**
 * What the page shows of the poll set: the descriptors in it, and each change as it came.
 *
 * A viewer that takes data slowly gets fewer and newer states, never a queue of old ones. Sending
 * changes masks as well; those changes are shown, but never a reason to send: else a slow viewer
 * would be fed by its own slowness for ever. Knows nothing of chats and pages.
 */
import { batch, callbackOnWritable, defineProtocol, formatEvents } from 'extpoll'
import { getContext, getSocketFd, TEXT, write } from 'extpoll'
import type { Context, PollOp, ProtocolDefinition, Wsi } from 'extpoll'
import type { EventActions, PolledFd } from './event-actions.js'

/** Changes kept for viewers that are behind. */
const MAX_CHANGES = 64
const FEED = 'poll set feed'

interface Viewer {
  readonly wsi: Wsi
  /** The last change it was sent. */
  seq: number
  /** Told 'backpressure': SERVER_WRITEABLE goes on. */
  behind: boolean
  /** Something changed that it was not sent. */
  stale: boolean
}

interface Change {
  readonly seq: number
  readonly op: PollOp
  readonly fd: number
  readonly gen: number | null
  readonly bits: string
  readonly what: string
}

export class PollSetFeed {
  readonly protocol: ProtocolDefinition<Viewer>
  /** How often each kind of change came. */
  readonly counts: Record<PollOp, number> = { ADD: 0, SET: 0, CLEAR: 0, DEL: 0 }
  readonly #viewers = new Set<Viewer>()
  readonly #changes: Change[] = []
  #actions: EventActions | undefined
  #seq = 0
  #dirty = false

  constructor() {
    this.protocol = defineProtocol<Viewer>({
      name: 'pollset',
      createSession: (wsi) => ({ wsi, seq: 0, behind: false, stale: true }),
      handlers: {
        ESTABLISHED: (wsi, _request, viewer) => {
          this.#viewers.add(viewer)
          this.label(getSocketFd(wsi), FEED)
        },
        SERVER_WRITEABLE: (_wsi, _data, viewer) => {
          viewer.behind = false
          if (viewer.stale) this.#show(viewer)
        },
        CLOSED: (_wsi, _info, viewer) => {
          this.#viewers.delete(viewer)
        },
      },
    })
  }

  /** Whose set it shows. */
  watch(actions: EventActions): void {
    this.#actions = actions
  }

  /** A change of the set, as ChangeListener. Sends nothing: announcements must not (C8). */
  heard(op: PollOp, { fd, gen, what }: PolledFd, bits: number): void {
    this.counts[op]++
    const change = { seq: ++this.#seq, op, fd, gen: gen ?? null, bits: formatEvents(bits), what }
    this.#changes.push(change)
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift()
    const byItself = what === FEED && (op === 'SET' || op === 'CLEAR')
    if (!byItself) this.#dirty = true
  }

  /** Says what a descriptor is, now that it is known. */
  label(fd: number, what: string): void {
    const polled = this.#actions?.polled.get(fd)
    if (polled === undefined || polled.what === what) return
    polled.what = what
    this.#dirty = true
  }

  /** At the end of each round of the loop: one message to each viewer, if there is news. */
  publish(ctx: Context): void {
    if (!this.#dirty) return
    this.#dirty = false
    batch(ctx, () => {
      for (const viewer of this.#viewers) {
        viewer.stale = true
        if (!viewer.behind) this.#show(viewer)
      }
    })
  }

  /** The descriptors as they are now. */
  rows(): object[] {
    const nowMs = performance.now()
    return Array.from(this.#actions?.polled.values() ?? [], (polled) => ({
      fd: polled.fd,
      events: formatEvents(polled.events),
      gen: polled.gen ?? null,
      ageMs: Math.round(nowMs - polled.sinceMs),
      what: polled.what,
    }))
  }

  #show(viewer: Viewer): void {
    const changes = this.#changes.filter(({ seq }) => seq > viewer.seq)
    const missed = this.#seq - viewer.seq - changes.length
    viewer.seq = this.#seq
    viewer.stale = false
    const message = {
      type: 'pollset',
      you: getSocketFd(viewer.wsi),
      rows: this.rows(),
      changes,
      missed,
    }
    if (write(viewer.wsi, JSON.stringify(message), TEXT) !== 'backpressure') return
    viewer.behind = true
    callbackOnWritable(getContext(viewer.wsi), viewer.wsi)
  }
}
