/**
 * Entries by descriptor, and in the order in which they came.
 *
 * A kernel gives out the smallest number that is free: those are indices of an array, and found
 * without a hash. Virtual descriptors, and numbers that are no array's, are in a map beside it. The
 * order is a chain through the entries themselves.
 */

/** What can be in the table, in one at a time; the two links are the table's to change. */
export interface Linked {
  fd: number
  previous: Linked | null
  next: Linked | null
}

/** Descriptors from here up are in the map: more than most systems let a process have. */
const FIRST_SPARSE_FD = 2 ** 20

export class FdTable<Entry extends Linked> {
  readonly #dense: (Entry | undefined)[] = []
  readonly #sparse = new Map<number, Entry>()
  #first: Linked | null = null
  #last: Linked | null = null

  /** Anything may be asked for. */
  get(fd: unknown): Entry | undefined {
    if (typeof fd !== 'number') return undefined
    return fd < this.#dense.length ? this.#dense[fd] : this.#sparse.get(fd)
  }

  /** Puts one behind all others, under its `fd`; nobody is there. */
  add(entry: Entry): void {
    this.#put(entry.fd, entry)
    entry.previous = this.#last
    if (this.#last === null) this.#first = entry
    else this.#last.next = entry
    this.#last = entry
  }

  remove(entry: Entry): void {
    const { fd, previous, next } = entry
    if (fd < FIRST_SPARSE_FD) this.#dense[fd] = undefined
    else this.#sparse.delete(fd)
    if (previous === null) this.#first = next
    else previous.next = next
    if (next === null) this.#last = previous
    else next.previous = previous
    entry.previous = entry.next = null
  }

  /** `newcomer`, of the same `fd` and in no table, takes the entry's place in the order too. */
  replace(entry: Entry, newcomer: Entry): void {
    const { previous, next } = entry
    this.#put(newcomer.fd, newcomer)
    newcomer.previous = previous
    newcomer.next = next
    if (previous === null) this.#first = newcomer
    else previous.next = newcomer
    if (next === null) this.#last = newcomer
    else next.previous = newcomer
    entry.previous = entry.next = null
  }

  /** All of them now, the first that came first. */
  list(): Entry[] {
    const all: Entry[] = []
    for (let entry = this.#first; entry !== null; entry = entry.next) all.push(entry as Entry)
    return all
  }

  #put(fd: number, entry: Entry): void {
    if (fd < FIRST_SPARSE_FD) this.#dense[fd] = entry
    else this.#sparse.set(fd, entry)
  }
}
