/**
 * A process that misuses the addon: each hostile value as each argument of each function, too few
 * arguments, too many, and no object. Moves to the folder it is given, an empty one, since some of
 * the values are legal paths.
 *
 * A crash is seen by its parent as a signal. What is thrown must be an Error with a code. At the
 * end the addon must still work. Prints one line of JSON: how much was tried.
 */
import assert from 'node:assert/strict'
import { addon } from '../../integrations/epoll-addon/binding.js'
import { Poller, socketIo, wakeFd, watchSignals } from '../../integrations/epoll.js'
import { adopt, release } from '../../integrations/epoll.js'
import { POLLIN } from '../../src/index.js'
import { closePair, tcpPair } from './epoll-addon.js'
import { hostileValues } from './hostile-values.js'

type AnyFunction = (...args: unknown[]) => unknown

const native = addon() as unknown as Record<string, AnyFunction>
let calls = 0

function attempt(name: string, call: () => unknown): void {
  calls++
  try {
    call()
  } catch (error) {
    const code: unknown = error instanceof Error ? (error as { code?: unknown }).code : undefined
    const known = code === 'HOSTILE' || /^(?:ERR_EXTPOLL_|E[A-Z]+$)/.test(String(code))
    // Reading a field of null, or of a revoked Proxy, is the language's own TypeError.
    const language = error instanceof TypeError && code === undefined
    assert.ok(known || language, `${name} threw ${String(error)}`)
  }
}

/** Legal arguments of each function, so that the hostile one is what is judged. */
function legalArguments(): Record<string, unknown[]> {
  const { client } = tcpPair()
  const [bufferId] = native['createBuffer']!(4096, false) as [number]
  const pollerId = native['pollerCreate']!(true, bufferId, 64) as number
  native['eventWrite']!(native['pollerWakeFd']!(pollerId)) // so that no wait ever blocks
  const fileFd = native['openFile']!('/', 'dev/null', false) as number
  const eventFd = native['eventCreate']!() as number
  const resolverFd = native['resolverOpen']!() as number
  return {
    createBuffer: [64, false],
    freeBuffer: [bufferId],
    mask: [bufferId, 0, 8, 1],
    recv: [client, bufferId, 0, 8],
    send: [client, bufferId, 0, 8],
    sendEach: [bufferId, bufferId, 1],
    recvEach: [bufferId, bufferId, 1],
    sendv: [client, [new Uint8Array(1)]],
    accept: [client],
    shutdown: [client],
    close: [client, false],
    socketError: [client],
    connectResult: [client],
    resolverOpen: [],
    resolverStart: [resolverFd, 1, '127.0.0.1', 4],
    resolverTake: [resolverFd],
    resolverCancel: [resolverFd, 1],
    resolverClose: [resolverFd],
    adopt: [client],
    duplicate: [client],
    release: [client],
    listenTcp: ['127.0.0.1', 0, 1],
    listenUnix: ['listener', 1],
    listenShared: [client],
    connectTcp: ['127.0.0.1', 0],
    connectUnix: ['listener'],
    localAddress: [client],
    peerAddress: [client],
    shed: [client, new Uint8Array(8)],
    pollerCreate: [true, bufferId, 64],
    pollerClose: [pollerId],
    pollerFd: [pollerId],
    pollerWakeFd: [pollerId],
    pollerAdd: [pollerId, client, POLLIN, 1],
    pollerModify: [pollerId, client, POLLIN, 1],
    pollerRemove: [pollerId, client],
    wait: [pollerId, 0],
    uvPollOpen: [pollerId, () => {}],
    uvPollActive: [pollerId, false],
    uvPollRef: [pollerId, true],
    eventCreate: [],
    eventWrite: [eventFd],
    eventDrain: [eventFd],
    eventClose: [eventFd],
    openFile: ['/', 'dev/null', false],
    fileInfo: [fileFd],
    sendFile: [client, fileFd, 0, 8],
    closeFile: [fileFd],
    signalsWatch: [1 << 1],
    signalsRead: [eventFd],
    signalsClose: [eventFd],
  }
}

function abuseNative(): void {
  const legal = legalArguments()
  for (const [name, call] of Object.entries(native)) {
    const args = legal[name]
    assert.ok(args, `${name} has no legal arguments here`)
    for (let at = 0; at <= args.length; at++) {
      for (const make of hostileValues) attempt(name, () => call(...args.toSpliced(at, 1, make())))
      attempt(name, () => call(...args.slice(0, at)))
    }
    attempt(name, () => call(...args, ...Array.from({ length: 20 }, () => ({}))))
    attempt(name, () => Reflect.apply(call, null, args))
    attempt(name, () => Reflect.construct(call, args))
  }
}

function abuseSurface(): void {
  const poller = new Poller({ maxWaitMs: 1 })
  const surface: Record<string, (value: unknown) => unknown> = {
    Poller: (value) => new Poller(value as never).close(),
    'Poller.backend': (value) => new Poller({ backend: value as never }).close(),
    'Poller.maxWaitMs': (value) => new Poller({ maxWaitMs: value as never }).close(),
    'Poller.maxEvents': (value) => new Poller({ maxEvents: value as never }).close(),
    'add.fd': (value) => poller.add(value as never, POLLIN),
    'add.events': (value) => poller.add(poller.wakeFd, value as never),
    'add.gen': (value) => poller.add(poller.wakeFd, POLLIN, value as never),
    modify: (value) => poller.modify(value as never, POLLIN),
    remove: (value) => poller.remove(value as never),
    'wait.pollfds': (value) => poller.wait(value as never, 0),
    'wait.timeoutMs': (value) => poller.wait([], value as never),
    isLive: (value) => poller.isLive(value as never),
    ownerOf: (value) => poller.ownerOf({ fd: value as never, revents: 1 }),
    wakeFd: (value) => wakeFd(value as never),
    adopt: (value) => adopt(value as never),
    release: (value) => release(value as never),
    watchSignals: (value) => watchSignals(value as never).close(),
    'watchSignals.name': (value) => watchSignals([value as never]).close(),
    listen: (value) => socketIo.listen(value as never),
    connect: (value) => socketIo.connect(value as never),
    'recv.into': (value) => socketIo.recv(3, value as never, 0, 1),
    freeBuffer: (value) => socketIo.freeBuffer(value as never),
  }
  for (const [name, call] of Object.entries(surface)) {
    for (const make of hostileValues) attempt(name, () => call(make()))
  }
  poller.close()
}

function stillWorks(): void {
  const pair = tcpPair()
  const buffer = socketIo.createBuffer(100)
  buffer.bytes.write('alive')
  assert.equal(socketIo.send(pair.client, buffer, 0, 5), 5)
  assert.equal(socketIo.recv(pair.server, buffer, 50, 50), 5)
  assert.equal(buffer.bytes.toString('latin1', 50, 55), 'alive')
  socketIo.freeBuffer(buffer)
  closePair(pair)
}

process.chdir(process.argv[2]!)
abuseNative()
abuseSurface()
stillWorks()
console.log(
  JSON.stringify({ functions: Object.keys(native).length, values: hostileValues.length, calls }),
)
