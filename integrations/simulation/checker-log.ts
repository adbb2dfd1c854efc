/**
 * The last calls, kept raw and put into words only when somebody asks: when a rule was broken.
 */
const LENGTH = 20

interface Entry {
  what: string
  /** It is the end of that call. */
  ends: boolean
  subject: number
  detail: number
  result: unknown
}

/** No such number in an entry. */
export const NONE = Number.MIN_SAFE_INTEGER

export class CallLog {
  private readonly entries: Entry[] = Array.from({ length: LENGTH }, () => ({
    what: '',
    ends: false,
    subject: NONE,
    detail: NONE,
    result: undefined,
  }))
  private next = 0

  /**
   * @param what a name @param subject most often an fd @param detail most often bits or a length
   */
  add(what: string, subject: number = NONE, detail: number = NONE, result?: unknown): void {
    this.put(what, false, subject, detail, result)
  }

  /** A call that was added when it began returns. */
  end(what: string, result: unknown): void {
    this.put(what, true, NONE, NONE, result)
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

  private put(what: string, ends: boolean, subject: number, detail: number, result: unknown): void {
    const entry = this.entries[this.next % LENGTH]
    if (entry === undefined) return
    this.next += 1
    entry.what = what
    entry.ends = ends
    entry.subject = subject
    entry.detail = detail
    entry.result = result
  }
}

function format({ what, ends, subject, detail, result }: Entry): string {
  const numbers = [subject, detail].filter((number) => number !== NONE).join(', ')
  const answer = typeof result === 'number' || typeof result === 'string' ? ` = ${result}` : ''
  return ends ? `end of ${what}${answer}` : `${what}(${numbers})${answer}`
}
