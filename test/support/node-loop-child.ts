/**
 * A server under Node's own loop, for tests of how its process or thread ends and how it is loaded.
 *
 * The first argument is the mode, the second limits as JSON. Tells its port in its first line, or
 * as a message where it is a worker. Echoes; what the text of a message asks for beside that is in
 * the table of orders.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { epollHost } from '../../integrations/epoll.js'
import { BINARY, contextDestroy, createContext, defineProtocol } from '../../src/index.js'
import { getListenAddress, isBinary, TEXT, write } from '../../src/index.js'
import type { LimitName, Wsi } from '../../src/index.js'

const [, , mode, limitsText = '{}'] = process.argv
const limits = JSON.parse(limitsText) as Partial<Record<LimitName, number>>
const say = (line: string | number): void => {
  if (parentPort === null) console.log(line)
  else parentPort.postMessage(line)
}

/**
 * How late a 10 ms interval of the application was at most, since it was last asked for; and how
 * late while this process was at work: what the machine gave to others is no fault of the loop's.
 */
let latest = { allMs: 0, ownMs: 0 }
function watchLateness(): void {
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
  let [lastMs, lastCpuMs] = [performance.now(), cpuMs()]
  setInterval(() => {
    const [nowMs, nowCpuMs] = [performance.now(), cpuMs()]
    const lateMs = nowMs - lastMs - 10
    const ownMs = Math.min(lateMs, nowCpuMs - lastCpuMs)
    latest = { allMs: Math.max(latest.allMs, lateMs), ownMs: Math.max(latest.ownMs, ownMs) }
    ;[lastMs, lastCpuMs] = [nowMs, nowCpuMs]
  }, 10).unref()
}

const orders: Readonly<Record<string, (wsi: Wsi) => void>> = {
  throw() {
    if (mode !== 'catches') process.env.EXTPOLL_LEAVES_OPEN = 'ended in the middle of its work'
    throw new Error('thrown by a handler')
  },
  destroy: () => contextDestroy(ctx),
  unref: unrefHost,
  ref: () => host.ref(),
  exit() {
    process.env.EXTPOLL_LEAVES_OPEN = 'ended in the middle of its work'
    process.exit(7)
  },
  late(wsi) {
    write(wsi, JSON.stringify(latest), TEXT)
    latest = { allMs: 0, ownMs: 0 }
  },
}

const echo = defineProtocol({
  handlers: {
    RECEIVE(wsi, data) {
      const order = isBinary(wsi) ? undefined : orders[data.toString()]
      if (order === undefined) write(wsi, data, isBinary(wsi) ? BINARY : TEXT)
      else order(wsi)
    },
  },
})

if (mode === 'catches')
  process.on('uncaughtException', ({ message }) => say(`uncaught: ${message}`))
if (mode === 'late') watchLateness()
if (mode === 'forgets') await forget()
const host = epollHost({ loop: 'node' })
if (mode === 'collects') await collect()
const ctx = createContext({ ...limits, host, port: 0, protocols: [echo] })
say(getListenAddress(ctx)!.port)
if (mode === 'unref') unrefHost()
if (mode === 'unref-ref') {
  host.unref()
  host.ref()
}
if (mode === 'forgets') contextDestroy(ctx)
// By itself it comes to its end only where nothing is left to serve.
process.once('beforeExit', () => host.poller.close())

function unrefHost(): void {
  process.env.EXTPOLL_LEAVES_OPEN = 'it ends while it serves'
  host.unref()
}

/** Time and collections, before the host has a context, and between two. */
async function collect(): Promise<void> {
  for (const again of [true, false]) {
    for (let turn = 0; turn < 3; turn++) {
      await sleep(1)
      globalThis.gc!()
    }
    if (again) contextDestroy(createContext({ host, port: 0, protocols: [echo] }))
  }
}

/** Hosts that nobody holds are collected, with their descriptors. */
async function forget(): Promise<void> {
  const open = (): number => readdirSync('/proc/self/fd').length
  const before = open()
  for (let i = 0; i < 20; i++) {
    const host = epollHost({ loop: 'node' })
    // One that has served, too.
    if (i % 2 === 0) contextDestroy(createContext({ host, port: 0, protocols: [echo] }))
  }
  assert.ok(open() >= before + 40)
  // The last one may still be held by the frame of this function.
  process.env.EXTPOLL_LEAVES_OPEN = 'the last host, not yet collected'
  const left = before + 2
  for (let tries = 0; tries < 100 && open() > left; tries++) {
    await sleep(10)
    globalThis.gc!()
  }
  assert.ok(open() <= left, `${open()} open, ${before} before`)
}
