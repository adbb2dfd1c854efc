/** A poll entry with a deadline: what listeners and connections have in common. */
import { type Deadline } from '../poll/deadline-heap.js'
import { type Host } from '../host.js'
import { PollEntry } from '../poll/interest-table.js'

export abstract class TimedEntry extends PollEntry implements Deadline {
  heapIndex = -1
  /** The host whose seam and poll array it is in, where that is not the context's own. */
  guestOf: Host | null = null
}
