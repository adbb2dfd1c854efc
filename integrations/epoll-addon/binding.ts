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
import type { FileInfo, ResolverAnswer, SocketAddress } from '../../src/index.js'

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
  recvEach(bufferId: number, listId: number, count: number): number
  sendv(fd: number, parts: readonly Uint8Array[]): number
  accept(listenFd: number): number
  shed(listenFd: number, farewell: Uint8Array): number
  shutdown(fd: number): number
  close(fd: number, abort: boolean): number
  socketError(fd: number): number
  connectResult(fd: number): number
  adopt(fd: number): number
  duplicate(fd: number): number
  release(fd: number, changes: number): number

  listenTcp(address: string, port: number, backlog: number): number
  listenUnix(path: string, backlog: number): number
  listenShared(listenFd: number): number
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

  resolverOpen(): number
  resolverStart(fd: number, id: number, name: string, family: 4 | 6): number
  resolverTake(fd: number): ResolverAnswer | null
  resolverCancel(fd: number, id: number): void
  resolverClose(fd: number): number

  openFile(root: string, path: string, walk: boolean): number
  fileInfo(fileFd: number): FileInfo | number
  readFile(
    fileFd: number,
    fileOffset: number,
    bufferId: number,
    offset: number,
    length: number,
  ): number
  sendFile(fd: number, fileFd: number, offset: number, length: number): number
  closeFile(fileFd: number): number

  signalsWatch(mask: number): number
  signalsRead(fd: number): number
  signalsClose(fd: number): number
}

/** Its functions and how many arguments each takes: an addon of other sources is told by them. */
export const addonFunctions: Readonly<Record<keyof Addon, number>> = {
  createBuffer: 2,
  freeBuffer: 1,
  mask: 4,
  recv: 4,
  send: 4,
  sendv: 2,
  sendEach: 3,
  recvEach: 3,
  accept: 1,
  shed: 2,
  shutdown: 1,
  close: 2,
  socketError: 1,
  connectResult: 1,
  adopt: 1,
  duplicate: 1,
  release: 2,
  listenTcp: 3,
  listenUnix: 2,
  listenShared: 1,
  connectTcp: 2,
  connectUnix: 1,
  localAddress: 1,
  peerAddress: 1,
  pollerCreate: 3,
  pollerClose: 1,
  pollerFd: 1,
  pollerWakeFd: 1,
  pollerAdd: 4,
  pollerModify: 4,
  pollerRemove: 2,
  wait: 2,
  uvPollOpen: 2,
  uvPollActive: 2,
  uvPollRef: 2,
  eventCreate: 0,
  eventWrite: 1,
  eventDrain: 1,
  eventClose: 1,
  resolverOpen: 0,
  resolverStart: 4,
  resolverTake: 1,
  resolverCancel: 2,
  resolverClose: 1,
  openFile: 3,
  fileInfo: 1,
  readFile: 5,
  sendFile: 4,
  closeFile: 1,
  signalsWatch: 1,
  signalsRead: 1,
  signalsClose: 1,
}

const OLDEST_NODE = [20, 19] as const
const WITHOUT = "extpoll's other entries work without it"

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

/** One line: what is missing, what works all the same, what to do. */
function missing(what: string, remedy: string): UsageError {
  const message = `extpoll/epoll ${what}; ${WITHOUT}; ${remedy}`
  return new UsageError('ERR_EXTPOLL_NO_ADDON', message)
}

/** What no compiler can mend. */
function checkPlatform(platform: string): void {
  if (process.platform !== 'linux')
    throw missing(`needs Linux, and this is ${platform}`, 'it cannot be built here')
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [oldest, oldestMinor] = OLDEST_NODE
  if (major > oldest || (major === oldest && minor >= oldestMinor)) return
  const what = `needs Node >= ${OLDEST_NODE.join('.')}, and this is ${process.versions.node}`
  throw missing(what, 'run it by a newer Node; nothing has to be built')
}

function load(): Addon {
  const platform = `${process.platform}-${process.arch}`
  checkPlatform(platform)
  const root = packageRoot()
  const build = `to build it: node ${join(root, 'integrations/epoll-addon/build.mjs')}`
  // What somebody built here fits here; what came with the package should.
  const places = ['build/extpoll.node', `prebuilds/${platform}/extpoll.node`]
  const found = places.find((place) => existsSync(join(root, place)))
  if (found === undefined)
    throw missing(`has no compiled addon for ${platform} (no ${places.join(', no ')})`, build)
  let exported: Partial<Addon>
  try {
    exported = createRequire(import.meta.url)(join(root, found)) as Partial<Addon>
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
    throw missing(`cannot load its compiled addon, ${found} (${reason})`, build)
  }
  const lacking = Object.keys(addonFunctions).filter((name) => !(name in exported))
  if (lacking.length === 0) return exported as Addon
  throw missing(
    `has a compiled addon of other sources, ${found}: no ${lacking.join(', no ')}`,
    build,
  )
}

let loaded: Addon | undefined

/**
 * The addon, loaded at the first call.
 * @throws UsageError ERR_EXTPOLL_NO_ADDON where it is not built, or not for this machine or Node
 */
export function addon(): Addon {
  return (loaded ??= load())
}
