/** A file's content type, by its name alone. Source: RFC 9110 8.3; the list is mrmime's. */
import { lookup } from 'mrmime'

const UNKNOWN = 'application/octet-stream'

/**
 * @returns the type for the name's extension; text is UTF-8, as everything that this library sends;
 *   bytes of no known kind where the extension says nothing
 */
export function contentTypeOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  // A name without a dot would be taken for an extension.
  const type = name.includes('.') ? lookup(name) : undefined
  if (type === undefined) return UNKNOWN
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type
}
