/**
 * The last calls, kept raw and put into words only when somebody asks: when a rule was broken.
 */
const LENGTH = 20

interface Entry {
  what: string
  subject: number
  detail: number
  result: unknown
}

/** No such number in an entry. */
export const NONE = Number.MIN_SAFE_INTEGER

export class CallLog {
  private readonly entries: Entry[] = Array.from({ length: LENGTH }, () => ({
    what: '',
    subject: NONE,
    detail: NONE,
    result: undefined,
  }))
  private next = 0

  /** @param what a name @param subject most often an fd @param detail most often bits or a length */
  add(what: string, subject: number = NONE, detail: number = NONE, result?: unknown): void {
    const entry = this.entries[this.next % LENGTH]
    if (entry === undefined) return
    this.next += 1
    entry.what = what
    entry.subject = subject
    entry.detail = detail
    entry.result = result
  }

  /** Oldest first, the last 20 at most. */
  lines(): string[] {
    const lines: string[] = []
    for (let at = Math.max(0, this.next - LENGTH); at < this.next; at += 1) {
      const entry = this.entries[at % LENGTH]
      if (entry !== undefined) lines.push(format(entry))
    }
    return lines
  }
}

function format({ what, subject, detail, result }: Entry): string {
  const numbers = [subject, detail].filter((number) => number !== NONE).join(', ')
  const answer = typeof result === 'number' || typeof result === 'string' ? ` = ${result}` : ''
  return `${what}(${numbers})${answer}`
}
