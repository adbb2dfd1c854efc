/**
 * Files in memory, for what a library opens, reads and sends; a test changes them as it goes.
 *
 * Knows paths and bytes; descriptors and sockets are the kernel's (fake-kernel.ts). Resolution is
 * that of openat2 with RESOLVE_BENEATH: what leads out of a root is EXDEV.
 * Source: openat2(2), pread(2), sendfile(2) of Linux.
 */
import { Errno } from '../../src/index.js'
import type { FileInfo } from '../../src/index.js'
import { Script } from './script.js'

/** What a file is, beside its bytes. */
export interface FakeFileOptions {
  /** Milliseconds since 1970. Default 0. */
  readonly modifiedMs?: number
  /** Default `'regular'`. A directory is there wherever a path leads through it. */
  readonly kind?: 'regular' | 'directory' | 'fifo' | 'link out'
}

/** Bytes that nobody has to hold: the one at each offset. */
export interface SparseContent {
  readonly sizeBytes: number
  readonly byteAt: (offset: number) => number
}

/** What one read makes at most of sparse content. */
const SPARSE_READ_BYTES = 65_536

/** One file; whoever holds it open sees what is changed. */
export class FakeFile {
  modifiedMs: number
  readonly kind: NonNullable<FakeFileOptions['kind']>

  constructor(
    readonly inode: number,
    private content: Uint8Array | SparseContent,
    options: FakeFileOptions,
  ) {
    this.modifiedMs = options.modifiedMs ?? 0
    this.kind = options.kind ?? 'regular'
  }

  get sizeBytes(): number {
    return this.content instanceof Uint8Array ? this.content.length : this.content.sizeBytes
  }

  get info(): FileInfo {
    const { sizeBytes, modifiedMs, inode, kind } = this
    const [regular, directory] = [kind === 'regular', kind === 'directory']
    return { sizeBytes, modifiedMs, inode, regular, directory }
  }

  /** Other bytes under the same inode, as after truncate(2) or a write. */
  rewrite(content: Uint8Array | string): void {
    this.content = Buffer.from(content)
  }

  /** At most `length` bytes from `offset` on; none where the file ends. */
  read(offset: number, length: number): Uint8Array {
    const { content } = this
    if (content instanceof Uint8Array) return content.subarray(offset, offset + length)
    const count = Math.max(0, Math.min(length, content.sizeBytes - offset, SPARSE_READ_BYTES))
    return Uint8Array.from({ length: count }, (_, index) => content.byteAt(offset + index))
  }
}

export class FakeFiles {
  /**
   * Results laid down for the next calls: a negative number is the answer, another limits the
   * bytes.
   */
  readonly script = { openFile: new Script(), readFile: new Script(), sendFile: new Script() }
  private readonly byPath = new Map<string, FakeFile>()
  private lastInode = 0

  /**
   * Puts a file where `path` says, in place of what was there, as rename(2) would.
   * @param path from the root of all, without dots: `/srv/www/index.html`
   */
  put(path: string, content: Uint8Array | SparseContent | string, options: FakeFileOptions = {}) {
    this.lastInode += 1
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    const file = new FakeFile(this.lastInode, bytes, options)
    this.byPath.set(path, file)
    return file
  }

  remove(path: string): void {
    this.byPath.delete(path)
  }

  /** @returns the file, or -errno */
  resolve(root: string, path: string): FakeFile | number {
    if (!this.isDirectory(root)) return -Errno.ENOENT
    if (path === '') return -Errno.ENOENT
    if (path.startsWith('/')) return -Errno.EXDEV
    const names: string[] = []
    for (const name of path.split('/')) {
      if (name === '' || name === '.') continue
      if (name !== '..') names.push(name)
      else if (names.pop() === undefined) return -Errno.EXDEV
    }
    return this.lookUp([root, ...names].join('/'), path.endsWith('/'))
  }

  private lookUp(path: string, asDirectory: boolean): FakeFile | number {
    const file = this.byPath.get(path)
    if (file === undefined) {
      if (this.isDirectory(path)) return new FakeFile(0, Buffer.alloc(0), { kind: 'directory' })
      return this.leadsThroughFile(path) ? -Errno.ENOTDIR : -Errno.ENOENT
    }
    if (file.kind === 'link out') return -Errno.EXDEV
    return asDirectory && file.kind !== 'directory' ? -Errno.ENOTDIR : file
  }

  private isDirectory(path: string): boolean {
    for (const other of this.byPath.keys()) if (other.startsWith(`${path}/`)) return true
    return this.byPath.get(path)?.kind === 'directory'
  }

  private leadsThroughFile(path: string): boolean {
    for (const other of this.byPath.keys()) if (path.startsWith(`${other}/`)) return true
    return false
  }
}
