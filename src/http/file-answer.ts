/**
 * What to answer to a GET or HEAD for a file that is there: status, fields, and which bytes.
 *
 * Pure: sees the request's headers and what the file is, and makes a plan; nothing is sent here.
 * Source: RFC 9110 8, 13, 14 and 15.
 */
import { type FileInfo } from '../socket/socket-io.js'
import { formatHttpDate } from '../wire/http-date.js'
import { type ByteRange, selectRanges } from './byte-ranges.js'
import { rangeApplies, statusOfConditions, validatorsOf } from './preconditions.js'

/** What is asked, and what there is. */
export interface FileRequest {
  readonly method: 'GET' | 'HEAD'
  readonly headers: ReadonlyMap<string, string>
  readonly file: FileInfo
  readonly contentType: string
  /** The Content-Encoding of what is there; null for a file as it is. */
  readonly coding: string | null
  /** The choice was made by Accept-Encoding, whatever came of it. */
  readonly varies: boolean
  /** Milliseconds since 1970. */
  readonly nowMs: number
  readonly maxRanges: number
  /** Makes a text that no file has in it, for multipart answers. */
  readonly makeBoundary: () => string
}

/** A piece of a body: text of ours, or bytes of the file. */
export type BodyPiece = string | ByteRange

export interface FileAnswer {
  readonly status: 200 | 206 | 304 | 412 | 416
  /** By name, as they are sent. */
  readonly fields: ReadonlyMap<string, string>
  /** In order; none for 304, 412 and 416, and for an empty file. A HEAD's are those of its GET. */
  readonly pieces: readonly BodyPiece[]
  /** Of all pieces together. */
  readonly bodyBytes: number
}

export function planFileAnswer(request: FileRequest): FileAnswer {
  const { headers, file } = request
  const validators = validatorsOf(file, request.nowMs)
  const fields = new Map([['ETag', validators.entityTag]])
  if (request.varies) fields.set('Vary', 'Accept-Encoding')
  const status = statusOfConditions(headers, validators)
  if (status !== null) return without(status, fields)
  const range = headers.get('range')
  // Ranges are defined for GET alone (RFC 9110 14.2).
  const heeded =
    range !== undefined && request.method === 'GET' && rangeApplies(headers, validators)
  const ranges = heeded ? selectRanges(range, file.sizeBytes, request.maxRanges) : 'whole'
  if (ranges === 'unsatisfiable') {
    fields.set('Content-Range', `bytes */${file.sizeBytes}`)
    return without(416, fields)
  }
  fields.set('Last-Modified', formatHttpDate(validators.lastModifiedMs))
  fields.set('Accept-Ranges', 'bytes')
  if (request.coding !== null) fields.set('Content-Encoding', request.coding)
  if (ranges !== 'whole' && ranges.length > 1) return inParts(request, fields, ranges)
  fields.set('Content-Type', request.contentType)
  if (ranges === 'whole') return { status: 200, fields, ...bodyOf([wholeOf(file)]) }
  fields.set('Content-Range', contentRange(ranges[0]!, file))
  return { status: 206, fields, ...bodyOf(ranges) }
}

function without(status: 304 | 412 | 416, fields: ReadonlyMap<string, string>): FileAnswer {
  return { status, fields, pieces: [], bodyBytes: 0 }
}

/** Several ranges as multipart/byteranges (RFC 9110 14.6). */
function inParts(
  { file, contentType, makeBoundary }: FileRequest,
  fields: Map<string, string>,
  ranges: readonly ByteRange[],
): FileAnswer {
  const boundary = makeBoundary()
  fields.set('Content-Type', `multipart/byteranges; boundary=${boundary}`)
  const pieces: BodyPiece[] = []
  for (const range of ranges) {
    const lead = pieces.length === 0 ? '' : '\r\n'
    const partFields = `Content-Type: ${contentType}\r\nContent-Range: ${contentRange(range, file)}`
    pieces.push(`${lead}--${boundary}\r\n${partFields}\r\n\r\n`, range)
  }
  pieces.push(`\r\n--${boundary}--\r\n`)
  return { status: 206, fields, ...bodyOf(pieces) }
}

function wholeOf({ sizeBytes }: FileInfo): ByteRange {
  return { start: 0, end: sizeBytes }
}

function contentRange({ start, end }: ByteRange, { sizeBytes }: FileInfo): string {
  return `bytes ${start}-${end - 1}/${sizeBytes}`
}

function bodyOf(all: readonly BodyPiece[]): Pick<FileAnswer, 'pieces' | 'bodyBytes'> {
  const pieces = all.filter((piece) => bytesOf(piece) > 0)
  let bodyBytes = 0
  for (const piece of pieces) bodyBytes += bytesOf(piece)
  return { pieces, bodyBytes }
}

/** Our own text is ASCII. */
export function bytesOf(piece: BodyPiece): number {
  return typeof piece === 'string' ? piece.length : piece.end - piece.start
}
