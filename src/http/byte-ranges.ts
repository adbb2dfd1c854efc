/**
 * The Range field: which bytes of a file are asked for.
 *
 * Strict: what is not well-formed is not heeded, and the whole file answers. What overlaps, or lies
 * closer together than a part's head is long, becomes one, so that an answer is never much larger
 * than the file. Source: RFC 9110 14.1.2, 14.2 and 15.3.7.2.
 */
import { listMembers } from '../wire/request-head.js'

/** Bytes `[start, end)` of a file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

const UNIT = /^bytes=/i
const SPEC = /^(?:\d+-\d*|-\d+)$/
/** The least that stands between two parts: boundary, Content-Type, Content-Range. */
const PART_HEAD_BYTES = 80

/**
 * @param maxRanges with more than these, of whatever size, the field is not heeded
 * @returns what to send, in the order asked for; `'whole'`: the field counts for nothing;
 *   `'unsatisfiable'`: nothing of what is asked for is there (416)
 */
export function selectRanges(
  field: string,
  sizeBytes: number,
  maxRanges: number,
): readonly ByteRange[] | 'whole' | 'unsatisfiable' {
  if (!UNIT.test(field)) return 'whole'
  const specs = listMembers(field.slice(field.indexOf('=') + 1))
  if (specs.length === 0 || specs.length > maxRanges) return 'whole'
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    if (!SPEC.test(spec)) return 'whole'
    const [first = '', last = ''] = spec.split('-')
    // A last position before the first makes the whole field invalid.
    if (first !== '' && last !== '' && Number(last) < Number(first)) return 'whole'
    const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first)
    const end = first === '' || last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes)
    if (start < end) ranges.push({ start, end })
    // The last bytes of nothing are there, and no Content-Range can say so.
    else if (sizeBytes === 0 && first === '' && Number(last) > 0) return 'whole'
  }
  return ranges.length === 0 ? 'unsatisfiable' : coalesced(ranges)
}

/** One range of what overlaps or nearly touches, where the first of them stood. */
function coalesced(ranges: readonly ByteRange[]): readonly ByteRange[] {
  if (ranges.length === 1) return ranges
  const byStart = ranges
    .map(({ start, end }, place) => ({ start, end, place }))
    .sort((one, other) => one.start - other.start)
  const kept = [byStart[0]!]
  for (const range of byStart.slice(1)) {
    const last = kept.at(-1)!
    if (range.start > last.end + PART_HEAD_BYTES) kept.push(range)
    else {
      last.end = Math.max(last.end, range.end)
      last.place = Math.min(last.place, range.place)
    }
  }
  kept.sort((one, other) => one.place - other.place)
  return kept.map(({ start, end }) => ({ start, end }))
}
