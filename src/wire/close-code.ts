/**
 * Close codes: which may travel in a frame, and the payload of a close frame.
 * Source: RFC 6455 5.5.1 and 7.4, and the IANA registry for 1012 to 1014.
 */
import { isUtf8 } from 'node:buffer'
import { type FaultName } from '../errors.js'

/** A close frame's reason: what is left of 125 bytes after the code. */
export const MAX_CLOSE_REASON_BYTES = 123

/** No code was present. Never in a frame. */
export const CLOSE_NO_STATUS = 1005
/** The connection ended without a close frame. Never in a frame. */
export const CLOSE_ABNORMAL = 1006

/**
 * May this code stand in a close frame?
 * 1000 to 1003, 1007 to 1014 are registered; 3000 to 4999 belong to libraries and applications.
 */
export function isSendableCloseCode(code: number): boolean {
  return (
    (code >= 1000 && code <= 1003) ||
    (code >= 1007 && code <= 1014) ||
    (code >= 3000 && code <= 4999 && Number.isInteger(code))
  )
}

/** A parsed close payload; `fault` is set where the peer broke a rule. */
export interface ClosePayload {
  readonly code: number
  readonly reason: string
  readonly fault: FaultName | null
}

/** Reads a close frame's unmasked payload (0 to 125 bytes). */
export function parseClosePayload(payload: Buffer): ClosePayload {
  if (payload.length === 0) return { code: CLOSE_NO_STATUS, reason: '', fault: null }
  if (payload.length === 1) return { code: CLOSE_ABNORMAL, reason: '', fault: 'CLOSE_LENGTH' }
  const code = payload.readUInt16BE(0)
  if (!isSendableCloseCode(code)) return { code: CLOSE_ABNORMAL, reason: '', fault: 'CLOSE_CODE' }
  const text = payload.subarray(2)
  if (!isUtf8(text)) return { code: CLOSE_ABNORMAL, reason: '', fault: 'CLOSE_REASON_UTF8' }
  return { code, reason: text.toString('utf8'), fault: null }
}

/** A close frame's payload. @param code sendable, or CLOSE_NO_STATUS for an empty payload */
export function formatClosePayload(code: number, reason: string): Buffer {
  if (code === CLOSE_NO_STATUS) return Buffer.alloc(0)
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code, 0)
  payload.write(reason, 2, 'utf8')
  return payload
}
