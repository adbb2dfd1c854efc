/**
 * The calls of a kernel about files: what is found is fake-files.ts's, descriptors and sockets are
 * the kernel's. Source: openat2(2), pread(2), sendfile(2) of Linux.
 */
import type { FileInfo, IoBuffer } from '../../src/index.js'
import type { Endpoint } from './endpoint.js'
import { FakeFiles } from './fake-files.js'
import type { FakeFile } from './fake-files.js'

/** A file of the library's, open for reading. */
export interface OpenFile {
  readonly kind: 'file'
  fd: number
  readonly file: FakeFile
}

export abstract class FakeFileIo {
  /** What openFile finds. */
  readonly files = new FakeFiles()

  protected abstract open(entry: OpenFile): number
  abstract readonly descriptors: {
    get(fd: number): OpenFile | { readonly kind: string } | undefined
  }
  protected abstract socket(call: string, fd: number): Endpoint
  protected abstract misuse(sentence: string): never
  protected abstract forget(fd: number): void
  protected abstract checkRange(call: string, into: IoBuffer, offset: number, length: number): void

  openFile(root: string, path: string): number {
    const scripted = this.files.script.openFile.next()
    if (scripted !== undefined && scripted < 0) return scripted
    const file = this.files.resolve(root, path)
    return typeof file === 'number' ? file : this.open({ kind: 'file', fd: -1, file })
  }

  fileInfo(fileFd: number): FileInfo {
    return this.file('fileInfo', fileFd).info
  }

  readFile(fileFd: number, fileOffset: number, into: IoBuffer, offset: number, length: number) {
    const file = this.file('readFile', fileFd)
    this.checkRange('readFile', into, offset, length)
    const scripted = this.files.script.readFile.next()
    if (scripted !== undefined && scripted < 0) return scripted
    const bytes = file.read(fileOffset, Math.min(length, scripted ?? length))
    into.bytes.set(bytes, offset)
    return bytes.length
  }

  sendFile(fd: number, fileFd: number, offset: number, length: number): number {
    const socket = this.socket('sendFile', fd)
    const file = this.file('sendFile', fileFd)
    const scripted = this.files.script.sendFile.next()
    if (scripted !== undefined && scripted < 0) return scripted
    const bytes = file.read(offset, Math.min(length, scripted ?? length))
    return bytes.length === 0 ? 0 : socket.send([bytes])
  }

  closeFile(fileFd: number): void {
    this.file('closeFile', fileFd)
    this.forget(fileFd)
  }

  private file(call: string, fd: number): FakeFile {
    const entry = this.descriptors.get(fd)
    if (entry !== undefined && 'file' in entry) return entry.file
    return this.misuse(`${call}(${fd}): not an open file`)
  }
}
