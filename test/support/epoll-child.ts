/**
 * A process or a worker that waits, takes signals, runs out of descriptors, or ends: what a test
 * cannot do to its own process. The first argument says which.
 *
 * Prints a first line when it is ready, then what it saw.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, readFileSync, readlinkSync } from 'node:fs'
import { isMainThread, parentPort, type Worker } from 'node:worker_threads'
import {
  Poller,
  socketIo,
  wakeFd,
  watchSignals,
  type SignalWatch,
} from '../../integrations/epoll.js'
import { POLLIN, type Pollfd } from '../../src/index.js'
import { startWorker, tcpPair } from './epoll-addon.js'

const [mode = '', argument = ''] = process.argv.slice(2)
const say = (line: string): void => console.log(line)

/** Waits for `watch` as a loop without timers does. @returns the signals of `count` rounds */
function signalsOf(watch: SignalWatch, count: number): NodeJS.Signals[] {
  const poller = new Poller()
  const pollfds: Pollfd[] = []
  const seen: NodeJS.Signals[] = []
  poller.add(watch.fd, POLLIN)
  for (let rounds = 0; rounds < 100 && seen.length < count; rounds++) {
    if (poller.wait(pollfds, -1) > 0) seen.push(...watch.read())
  }
  poller.close()
  return seen
}

function startWaitingWorker(): Promise<Worker> {
  const worker = startWorker('./epoll-child.ts', ['waiting-worker'])
  return once(worker, 'message').then(() => worker)
}

const modes: Record<string, () => Promise<void> | void> = {
  /** Prints the signals that came, in a loop that never gives the thread back. */
  signals() {
    const watch = watchSignals(['SIGTERM', 'SIGINT'])
    say('ready')
    say(signalsOf(watch, Number(argument)).join(' '))
    watch.close()
    assert.deepEqual(watch.read(), [])
  },

  'two-watchers'() {
    const first = watchSignals(['SIGTERM', 'SIGUSR2'])
    const second = watchSignals(['SIGTERM'])
    say('ready')
    assert.deepEqual(signalsOf(second, 1), ['SIGTERM'])
    assert.deepEqual(signalsOf(first, 1), ['SIGTERM'])
    first.close()
    process.kill(process.pid, 'SIGTERM')
    assert.deepEqual(signalsOf(second, 1), ['SIGTERM'])
    second.close()
    say('both heard')
  },

  /** Afterwards the signal does again what it does by itself: it ends the process. */
  restored() {
    const watch = watchSignals(['SIGTERM'])
    process.kill(process.pid, 'SIGTERM')
    assert.deepEqual(signalsOf(watch, 1), ['SIGTERM'])
    watch.close()
    watch.close()
    say('ready')
    setTimeout(() => say('still here'), 5000)
  },

  /** Node's own listener hears again after close. */
  async 'listener-restored'() {
    process.on('SIGTERM', () => undefined)
    const watch = watchSignals(['SIGTERM'])
    process.kill(process.pid, 'SIGTERM')
    assert.deepEqual(signalsOf(watch, 1), ['SIGTERM'])
    watch.close()
    const heard = once(process, 'SIGTERM')
    const patience = setTimeout(() => process.exit(1), 3000)
    process.kill(process.pid, 'SIGTERM')
    await heard
    clearTimeout(patience)
    say('heard')
  },

  /** While 'exit' listeners run, the signal is already what it was before. */
  'restored-at-exit'() {
    process.env.EXTPOLL_LEAVES_OPEN = 'closed by a listener of exit that comes later'
    watchSignals(['SIGTERM'])
    process.on('exit', () => {
      say('exiting')
      process.kill(process.pid, 'SIGTERM')
      const endMs = performance.now() + 5000
      while (performance.now() < endMs);
    })
    process.exit(0)
  },

  /** Standard input is closed: nothing of ours may take its number. */
  'no-stdin'() {
    closeSync(0)
    const poller = new Poller()
    assert.throws(() => readlinkSync('/proc/self/fd/0'), { code: 'ENOENT' })
    const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    assert.throws(() => readlinkSync('/proc/self/fd/0'), { code: 'ENOENT' })
    socketIo.close(listenFd, false)
    poller.close()
    say('well')
  },

  /** What the kernel's table of this process has room for, before a poller and after it. */
  room() {
    const room = (): number => {
      const status = readFileSync('/proc/self/status', 'latin1')
      return Number(/^FDSize:\s+(\d+)$/m.exec(status)![1])
    }
    const before = room()
    new Poller().close()
    say(JSON.stringify([before, room()]))
  },

  async 'watch-in-worker'() {
    const worker = startWorker('./epoll-child.ts', ['watch-here'])
    const [code] = (await once(worker, 'message')) as [string]
    say(code)
  },

  'watch-here'() {
    try {
      watchSignals(['SIGTERM'])
      parentPort!.postMessage('watched')
    } catch (error) {
      parentPort!.postMessage((error as { code?: string }).code)
    }
  },

  'waiting-worker'() {
    const poller = new Poller()
    const pollfds: Pollfd[] = []
    parentPort!.postMessage(poller.wakeFd)
    for (;;) poller.wait(pollfds, -1)
  },

  async 'terminate-worker'() {
    const worker = await startWaitingWorker()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const startMs = performance.now()
    await worker.terminate()
    say(String(performance.now() - startMs))
  },

  async 'exit-beside-worker'() {
    await startWaitingWorker()
    process.env.EXTPOLL_LEAVES_OPEN = 'a worker that goes on'
    setTimeout(() => {
      say('exiting')
      process.exit(0)
    }, 50)
  },

  /** Tells its wakeFd, and waits for long; says how it was woken. */
  'worker-to-wake'() {
    const poller = new Poller({ maxWaitMs: 20_000 })
    parentPort!.postMessage(poller.wakeFd)
    const count = poller.wait([], -1)
    parentPort!.postMessage({ count, woken: poller.woken })
  },

  async wake() {
    const worker = startWorker('./epoll-child.ts', ['worker-to-wake'])
    const [fd] = (await once(worker, 'message')) as [number]
    await new Promise((resolve) => setTimeout(resolve, 50))
    const startMs = performance.now()
    wakeFd(fd)
    const [answer] = (await once(worker, 'message')) as [unknown]
    assert.deepEqual(answer, { count: 0, woken: true })
    say(String(performance.now() - startMs))
  },

  'out-of-descriptors'() {
    const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 512 })
    const address = socketIo.localAddress(listenFd)
    const fds: number[] = []
    for (let fd = 0; fd >= 0; fd = socketIo.connect(address)) if (fd > 0) fds.push(fd)
    assert.ok(fds.length > 5)
    assert.equal(socketIo.connect(address), -24)
    assert.equal(socketIo.accept(listenFd), -24)
    assert.throws(() => new Poller(), { code: 'EMFILE', errno: -24 })
    assert.throws(() => new Poller({ backend: 'poll' }), { code: 'EMFILE' })
    assert.throws(() => watchSignals(['SIGUSR2']), { code: 'EMFILE' })
    for (let i = 0; i < 4; i++) socketIo.close(fds.pop()!, false)
    const accepted = socketIo.accept(listenFd)
    assert.ok(accepted > 2)
    const poller = new Poller()
    poller.add(accepted, POLLIN)
    poller.close()
    for (const fd of [...fds, accepted, listenFd]) socketIo.close(fd, false)
    say('recovered')
  },

  'leave-unix-socket'() {
    socketIo.listen({ address: '', port: 0, path: argument, backlog: 1 })
    tcpPair()
    say('listening')
    process.kill(process.pid, 'SIGKILL')
  },
}

await modes[mode]!()
if (isMainThread && mode !== 'restored') process.exitCode ??= 0
