/**
 * The conditions of a request for a file, in the order that RFC 9110 13.2.2 gives them.
 *
 * Sees headers and what a file is; decides, and writes nothing. A condition that is not well-formed
 * is no condition, but for lists of tags, in which it matches nothing.
 */
import { type FileInfo } from '../socket/socket-io.js'
import { entityTagOf, isSettled, listHasTag } from './entity-tag.js'
import { parseHttpDate } from './parse-http-date.js'

type Headers = ReadonlyMap<string, string>

/** What answers tell of a file's state, and what conditions are held against. */
export interface Validators {
  readonly entityTag: string
  /** Whole seconds, in milliseconds since 1970; never after the answer itself. */
  readonly lastModifiedMs: number
  /** The last modification is long enough ago to tell this state from every other. */
  readonly settled: boolean
  readonly nowMs: number
}

/** @param nowMs milliseconds since 1970 */
export function validatorsOf(file: FileInfo, nowMs: number): Validators {
  // Never later than the answer's own Date (RFC 9110 8.8.2.1), nor before what can be written.
  const lastModifiedMs = wholeSeconds(Math.max(0, Math.min(file.modifiedMs, nowMs)))
  const entityTag = entityTagOf(file, nowMs)
  return { entityTag, lastModifiedMs, settled: isSettled(file, nowMs), nowMs }
}

function wholeSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000) * 1000
}

/**
 * Steps 1 to 4, of a GET or HEAD for what exists.
 * @returns the status that ends it here, or null: go on with the Range, if there is one
 */
export function statusOfConditions(headers: Headers, validators: Validators): 412 | 304 | null {
  const match = headers.get('if-match')
  if (match === undefined) {
    const unmodifiedMs = dateOf(headers, 'if-unmodified-since', validators)
    if (unmodifiedMs !== null && validators.lastModifiedMs > unmodifiedMs) return 412
  } else if (!listHasTag(match, validators.entityTag, true)) return 412
  const noneMatch = headers.get('if-none-match')
  if (noneMatch !== undefined)
    return listHasTag(noneMatch, validators.entityTag, false) ? 304 : null
  const modifiedMs = dateOf(headers, 'if-modified-since', validators)
  return modifiedMs !== null && validators.lastModifiedMs <= modifiedMs ? 304 : null
}

/** Step 5: does a Range count? Without If-Range it does. */
export function rangeApplies(headers: Headers, validators: Validators): boolean {
  const wanted = headers.get('if-range')
  if (wanted === undefined) return true
  // Either kind must be strong, and exactly what it was (RFC 9110 13.1.5).
  if (!validators.settled) return false
  if (wanted === validators.entityTag) return true
  return dateOf(headers, 'if-range', validators) === validators.lastModifiedMs
}

function dateOf(headers: Headers, name: string, { nowMs }: Validators): number | null {
  const text = headers.get(name)
  return text === undefined ? null : parseHttpDate(text, nowMs)
}
