/**
 * From a request target to a path beneath a root, or to nothing.
 *
 * Refuses whatever two readers could understand differently: an encoded slash, a NUL, a backslash,
 * a dot segment, what is not UTF-8. Knows no file system; that nothing escapes the root is the
 * kernel's to see to. Source: RFC 3986 2.1, 3.3 and 6.2; RFC 9112 3.2.
 */
import { UsageError } from '../errors.js'

/** `http://host` in front of the path: the absolute form, which every server must take. */
const AUTHORITY = /^https?:\/\/[^/?#]*/i
/** What decodes to a slash, a backslash or a NUL, and a backslash as it is. */
const AMBIGUOUS = /%(?:2f|5c|00)|[\\#]/i
const DOT_SEGMENT = /(?:^|\/)\.\.?(?:\/|$)/

/**
 * The path that a request target names, beneath whatever root: decoded, without its query, without
 * a slash in front; `''` for the root itself, and one slash behind where the target has one.
 *
 * Repeated slashes count as one.
 *
 * @param target as RequestHead has it: `/a%20b.txt?x=1`
 * @returns `a b.txt`; null for a target that names no file: serveHttpFile answers 400 then
 * @throws UsageError for what is no string
 *
 * @example
 * HTTP: (wsi, { target }) => serveHttpFile(wsi, pathOfTarget(target), undefined, { root })
 */
export function pathOfTarget(target: string): string | null {
  if (typeof target !== 'string')
    throw new UsageError('ERR_EXTPOLL_ARGUMENT_TYPE', 'pathOfTarget(): target must be a string')
  const origin = target.startsWith('/') ? target : target.replace(AUTHORITY, '')
  const query = origin.indexOf('?')
  const encoded = query === -1 ? origin : origin.slice(0, query)
  if (encoded === '' && origin !== target) return ''
  if (!encoded.startsWith('/') || AMBIGUOUS.test(encoded)) return null
  const path = decoded(encoded)
  if (path === null || DOT_SEGMENT.test(path)) return null
  return path.replace(/\/{2,}/g, '/').slice(1)
}

/** @returns null where an escape is cut short, or what it decodes to is not UTF-8 */
function decoded(encoded: string): string | null {
  if (!encoded.includes('%')) return encoded
  try {
    return decodeURIComponent(encoded)
  } catch {
    return null
  }
}

/** Does any segment begin with a dot? */
export function namesDotFile(path: string): boolean {
  return path.startsWith('.') || path.includes('/.')
}
