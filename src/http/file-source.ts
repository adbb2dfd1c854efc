/**
 * The bytes of an open file as the body of an answer, in pieces as the transport takes them.
 *
 * Costs no memory whatever the size: the seam sends the file by itself, and where it cannot, one
 * buffer of the context serves all. Closes the file. A file that became shorter cannot keep what
 * the head promised: the connection ends. Source: sendfile(2), the notes on EINVAL and ENOSYS.
 */
import { type BodySource, PULLED_ALL } from '../connection/body-source.js'
import { type Connection, type Core } from '../connection/connection.js'
import { loseSending } from '../connection/drop.js'
import { transmitHead } from '../connection/transmit.js'
import { Errno } from '../poll/libuv-types.js'
import { type SocketIo, WOULD_BLOCK, WOULD_BLOCK_UNTIL_READABLE } from '../socket/socket-io.js'
import { type BodyPiece, bytesOf } from './file-answer.js'
import { fileBufferOf } from './file-buffer.js'

/** A host that has files. */
export type FileIo = SocketIo &
  Required<Pick<SocketIo, 'openFile' | 'fileInfo' | 'readFile' | 'closeFile'>>

/** What sendfile says of files that it cannot take bytes of; reading them works. */
const NOT_SENDABLE: ReadonlySet<number> = new Set([-Errno.EINVAL, -Errno.ENOSYS])
/** What it says of the file, not of the socket. */
const FILE_FAULTS: ReadonlySet<number> = new Set([-Errno.EIO, -Errno.ENOMEM, -Errno.EFBIG])

export class FileSource implements BodySource {
  readonly #core: Core
  readonly #connection: Connection
  readonly #io: FileIo
  readonly #fileFd: number
  readonly #pieces: readonly BodyPiece[]
  #next = 0
  /** Bytes of the piece in hand that have left. */
  #sent = 0
  /** The last move was a short one: the transport is full. */
  #full = false
  #reads: boolean

  /** @param fileFd open; the source's from now on */
  constructor(
    core: Core,
    connection: Connection,
    io: FileIo,
    fileFd: number,
    pieces: readonly BodyPiece[],
  ) {
    this.#core = core
    this.#connection = connection
    this.#io = io
    this.#fileFd = fileFd
    this.#pieces = pieces
    this.#reads = io.sendFile === undefined
  }

  pull(maxBytes: number): number {
    const piece = this.#pieces[this.#next]
    if (piece === undefined) return PULLED_ALL
    if (this.#full) {
      this.#full = false
      return WOULD_BLOCK
    }
    if (typeof piece === 'string') {
      transmitHead(this.#core, this.#connection, piece)
      this.#next += 1
      return piece.length
    }
    const at = piece.start + this.#sent
    const length = Math.min(piece.end - at, maxBytes)
    const moved = this.#move(at, length)
    if (moved > 0) this.#advance(piece, moved)
    return moved
  }

  close(): void {
    this.#io.closeFile(this.#fileFd)
  }

  #advance(piece: BodyPiece, moved: number): void {
    this.#sent += moved
    if (this.#sent < bytesOf(piece)) return
    this.#sent = 0
    this.#next += 1
  }

  /** @returns bytes moved, or what `pull` answers else */
  #move(at: number, length: number): number {
    if (this.#reads) return this.#readAndSend(at, length)
    const result = this.#io.sendFile!(this.#connection.fd, this.#fileFd, at, length)
    if (NOT_SENDABLE.has(result)) {
      this.#reads = true
      return this.#readAndSend(at, length)
    }
    // The file ended early, or cannot be read.
    if (result === 0 || FILE_FAULTS.has(result)) return -Errno.EIO
    return this.#taken(result, length)
  }

  #readAndSend(at: number, length: number): number {
    const fileBuffer = fileBufferOf(this.#core)
    const asked = Math.min(length, fileBuffer.bytes.length)
    const read = this.#io.readFile(this.#fileFd, at, fileBuffer, 0, asked)
    if (read <= 0) return -Errno.EIO
    return this.#taken(this.#io.send(this.#connection.fd, fileBuffer, 0, read), read)
  }

  /** What the transport said to `length` bytes. */
  #taken(result: number, length: number): number {
    this.#full = result > 0 && result < length
    if (result < 0 && result !== WOULD_BLOCK && result !== WOULD_BLOCK_UNTIL_READABLE)
      loseSending(this.#core, this.#connection)
    return result
  }
}
