/**
 * Entity tags: one for a file as it is, and whether a list of them has it.
 *
 * A file changed moments ago may change again without its time telling so; its tag is a weak one
 * until then. Source: RFC 9110 8.8.3 and 8.8.1.
 */
import { type FileInfo } from '../socket/socket-io.js'

/**
 * The coarsest steps in which file systems in use tell times: a change within one step of the last
 * may leave the time as it was.
 */
const SETTLED_AFTER_MS = 2_000

const WEAK = 'W/'
/** One member of the list, and what separates it from the next. Empty members count for nothing. */
const MEMBER = /[\t ,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[\t ]*(?:,|$)/y

/** Is its time a safe sign of its content? @param nowMs milliseconds since 1970 */
export function isSettled({ modifiedMs }: FileInfo, nowMs: number): boolean {
  return nowMs - modifiedMs >= SETTLED_AFTER_MS
}

/** `"inode-size-microseconds"` in base 36, with `W/` in front while it is not settled. */
export function entityTagOf(file: FileInfo, nowMs: number): string {
  const { inode, sizeBytes, modifiedMs } = file
  const parts = [inode, sizeBytes, Math.floor(modifiedMs * 1000)].map((part) => part.toString(36))
  return `${isSettled(file, nowMs) ? '' : WEAK}"${parts.join('-')}"`
}

/**
 * Does a field's list hold this tag, or `*`? What is not well-formed in it matches nothing.
 * @param strongly neither side may be weak (If-Match, If-Range)
 */
export function listHasTag(list: string, tag: string, strongly: boolean): boolean {
  if (list.trim() === '*') return true
  if (strongly && tag.startsWith(WEAK)) return false
  const wanted = opaque(tag)
  MEMBER.lastIndex = 0
  for (;;) {
    const member = MEMBER.exec(list)?.[1]
    if (member === undefined) return false
    if (strongly ? member === wanted : opaque(member) === wanted) return true
  }
}

/** The same tag without its weakness. */
function opaque(tag: string): string {
  return tag.startsWith(WEAK) ? tag.slice(WEAK.length) : tag
}
