/** A poll entry with a deadline: what listeners and connections have in common. */
import { type Deadline } from '../poll/deadline-heap.js'
import { PollEntry } from '../poll/interest-table.js'

export abstract class TimedEntry extends PollEntry implements Deadline {
  heapIndex = -1
}
