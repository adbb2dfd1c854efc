/**
 * Lines to stdout and stderr, whatever became of who reads them.
 *
 * Written at once, since a thread that blocks in a wait of its own never reaches the loop that
 * would write later; a reader that is gone (EPIPE) costs the line and nothing else.
 */
import { writeSync } from 'node:fs'

/** To stdout. */
export function printLine(text: string): void {
  print(1, text)
}

/** To stderr. @param text one line, harmless; what would break it is shown as a space */
export function printError(text: string): void {
  print(2, harmless(text.replace(/[\r\n]+/g, ' ')))
}

/** Without what a terminal would obey; others may have had a part in `text`. */
export function harmless(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (control) => {
    return `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

/** A terminal that others made non-blocking may refuse for a moment. */
const MAX_TRIES = 1000

function print(fd: number, text: string): void {
  const bytes = Buffer.from(`${text}\n`)
  let sent = 0
  for (let tries = 0; sent < bytes.length && tries < MAX_TRIES; tries++) {
    try {
      sent += writeSync(fd, bytes, sent)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
    }
  }
}
