/**
 * The numbers of a process's open files: the lowest free one is the next, as POSIX has it.
 *
 * Knows nothing of what is open. Source: open(2), "the lowest-numbered file descriptor not
 * currently open".
 */
const FIRST_FD = 3
const FIRST_HIGH = 65_536

export class DescriptorTable<Entry> {
  /** Numbers are few and low; the others, as a fault gives them, are kept apart. */
  private readonly entries: (Entry | undefined)[] = []
  private readonly high = new Map<number, Entry>()
  private lowestFree = FIRST_FD
  private wanted: number | undefined

  /** @param limit numbers from here up do not exist */
  constructor(readonly limit: number) {}

  get(fd: number): Entry | undefined {
    return fd < FIRST_HIGH ? this.entries[fd] : this.high.get(fd)
  }

  /** The next number given will be this one, if it is free: as after dup2(2) or F_DUPFD. */
  wantNext(fd: number): void {
    this.wanted = fd
  }

  /** No number is left. */
  get isFull(): boolean {
    return this.findFree() >= this.limit
  }

  /** @returns the number; -1 where there is none left */
  add(entry: Entry): number {
    const fd = this.nextFd()
    if (fd >= this.limit) return -1
    if (fd < FIRST_HIGH) {
      while (this.entries.length < fd) this.entries.push(undefined)
      this.entries[fd] = entry
    } else this.high.set(fd, entry)
    return fd
  }

  remove(fd: number): void {
    if (fd >= FIRST_HIGH) this.high.delete(fd)
    else if (fd < this.entries.length) this.entries[fd] = undefined
    if (fd < this.lowestFree) this.lowestFree = fd
  }

  /** Lowest number first. */
  *all(): IterableIterator<Entry> {
    for (const entry of this.entries) if (entry !== undefined) yield entry
    yield* this.high.values()
  }

  /** Lowest first. */
  numbers(): number[] {
    const low = [...this.entries.keys()].filter((fd) => this.entries[fd] !== undefined)
    return [...low, ...[...this.high.keys()].sort((a, b) => a - b)]
  }

  private nextFd(): number {
    const { wanted } = this
    this.wanted = undefined
    if (wanted !== undefined && wanted < this.limit && this.get(wanted) === undefined) return wanted
    return this.findFree()
  }

  private findFree(): number {
    while (this.get(this.lowestFree) !== undefined) this.lowestFree += 1
    return this.lowestFree
  }
}
