/**
 * The numbers of a process's open files: the lowest free one is the next, as POSIX has it.
 *
 * Knows nothing of what is open. Source: open(2), "the lowest-numbered file descriptor not
 * currently open".
 */
const FIRST_FD = 3

export class DescriptorTable<Entry> {
  private readonly entries = new Map<number, Entry>()
  private lowestFree = FIRST_FD
  private wanted: number | undefined

  /** @param limit numbers from here up do not exist */
  constructor(readonly limit: number) {}

  get size(): number {
    return this.entries.size
  }

  get(fd: number): Entry | undefined {
    return this.entries.get(fd)
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
    this.entries.set(fd, entry)
    return fd
  }

  remove(fd: number): void {
    this.entries.delete(fd)
    if (fd < this.lowestFree) this.lowestFree = fd
  }

  all(): IterableIterator<Entry> {
    return this.entries.values()
  }

  /** Lowest first. */
  numbers(): number[] {
    return [...this.entries.keys()].sort((a, b) => a - b)
  }

  private nextFd(): number {
    const { wanted } = this
    this.wanted = undefined
    if (wanted !== undefined && wanted < this.limit && !this.entries.has(wanted)) return wanted
    return this.findFree()
  }

  private findFree(): number {
    while (this.entries.has(this.lowestFree)) this.lowestFree += 1
    return this.lowestFree
  }
}
