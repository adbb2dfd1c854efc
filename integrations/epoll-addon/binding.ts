/**
 * The compiled addon, found and typed.
 *
 * Looked for when it is first needed, never downloaded, and everything that does not need it works
 * without. Knows what each function takes and answers, not what for.
 * Source: the `JS_` functions of the .cc files beside this one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../../src/index.js'
import type { FileInfo, SocketAddress } from '../../src/index.js'

/**
 * What the addon exports. Numbers in, numbers out: results are counts, descriptors, or -errno.
 * A wrong type, a number out of range, an unknown buffer or poller throws an Error with a `code`.
 */
export interface Addon {
  createBuffer(byteLength: number, managed: boolean): [id: number, memory: ArrayBuffer]
  freeBuffer(bufferId: number): void
  mask(bufferId: number, offset: number, length: number, key: number): void

  recv(fd: number, bufferId: number, offset: number, length: number): number
  send(fd: number, bufferId: number, offset: number, length: number): number
  sendEach(bufferId: number, listId: number, count: number): void
  sendv(fd: number, parts: readonly Uint8Array[]): number
  accept(listenFd: number): number
  shed(listenFd: number, farewell: Uint8Array): number
  shutdown(fd: number): number
  close(fd: number, abort: boolean): number
  socketError(fd: number): number
  adopt(fd: number): number
  release(fd: number): number

  listenTcp(address: string, port: number, backlog: number): number
  listenUnix(path: string, backlog: number): number
  connectTcp(address: string, port: number): number
  connectUnix(path: string): number
  localAddress(fd: number): SocketAddress
  peerAddress(fd: number): SocketAddress

  pollerCreate(epoll: boolean, bufferId: number, maxEvents: number): number
  pollerClose(pollerId: number): void
  pollerFd(pollerId: number): number
  pollerWakeFd(pollerId: number): number
  pollerAdd(pollerId: number, fd: number, events: number, gen: number): number
  pollerModify(pollerId: number, fd: number, events: number, gen: number): number
  pollerRemove(pollerId: number, fd: number): number
  wait(pollerId: number, timeoutMs: number): number

  uvPollOpen(pollerId: number, onReadable: () => void): number
  uvPollActive(pollerId: number, active: boolean): number
  uvPollRef(pollerId: number, ref: boolean): number

  eventCreate(): number
  eventWrite(fd: number): number
  eventDrain(fd: number): number
  eventClose(fd: number): number

  openFile(root: string, path: string, walk: boolean): number
  fileInfo(fileFd: number): FileInfo | number
  sendFile(fd: number, fileFd: number, offset: number, length: number): number
  closeFile(fileFd: number): number

  signalsWatch(mask: number): number
  signalsRead(fd: number): number
  signalsClose(fd: number): number
}

const platform = `${process.platform}-${process.arch}`
const places = [`prebuilds/${platform}/extpoll.node`, 'build/extpoll.node']

/** The package's folder, from the sources as well as from what is compiled of them. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }
      if (name === 'extpoll') return folder
    }
    const parent = dirname(folder)
    if (parent === folder) return process.cwd()
    folder = parent
  }
}

const advice =
  'build it with `make addon` in the package; every other host of extpoll works without it'

function load(): Addon {
  const root = packageRoot()
  const found = places.map((place) => join(root, place)).find((path) => existsSync(path))
  if (found === undefined) {
    throw new UsageError(
      'ERR_EXTPOLL_NO_ADDON',
      `extpoll/epoll has no compiled addon for ${platform} (${places.join(', ')}): ${advice}`,
    )
  }
  try {
    return createRequire(import.meta.url)(found) as Addon
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
    throw new UsageError(
      'ERR_EXTPOLL_NO_ADDON',
      `extpoll/epoll could not load its compiled addon (${reason}): ${advice}`,
    )
  }
}

let loaded: Addon | undefined

/**
 * The addon, loaded at the first call.
 * @throws UsageError ERR_EXTPOLL_NO_ADDON where it is not built, or not for this machine
 */
export function addon(): Addon {
  return (loaded ??= load())
}
