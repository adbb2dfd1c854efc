/** A small body read whole, so that it leaves in one send with its head. */
import { type Core } from '../connection/connection.js'
import { type BodyPiece, bytesOf } from './file-answer.js'
import { fileBufferOf } from './file-buffer.js'
import { type FileIo } from './file-source.js'

/**
 * Reads all pieces into the context's file buffer.
 * @param pieces together at most corkMaxBytes
 * @returns a view of them, valid until the next call; null where the file did not have them all:
 *   it is being changed, or cannot be read
 */
export function gather(
  core: Core,
  io: FileIo,
  fileFd: number,
  pieces: readonly BodyPiece[],
): Uint8Array | null {
  const fileBuffer = fileBufferOf(core)
  let at = 0
  for (const piece of pieces) {
    const bytes = bytesOf(piece)
    if (typeof piece === 'string') fileBuffer.bytes.write(piece, at, 'latin1')
    else if (io.readFile(fileFd, piece.start, fileBuffer, at, bytes) !== bytes) return null
    at += bytes
  }
  return fileBuffer.bytes.subarray(0, at)
}
