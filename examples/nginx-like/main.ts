/**
 * A program in the shape of nginx: one loop of its own over one poll set, in which the library's
 * descriptors wait beside the program's.
 *
 * The library is a guest here: it announces what it waits for, and is called when that is ready.
 * The loop, the wait, the signals and the control socket are the program's. Run by `make demo`.
 */
import { lookup } from 'node:dns/promises'
import { writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { closeAll, contextDestroy, createContext, getListenAddress, nextTimeout } from 'extpoll'
import { getSocketFd, pollFds, POLLIN, serviceFd } from 'extpoll'
import type { Context, Pollfd, RequestHead, Wsi } from 'extpoll'
import { rawHost, watchSignals } from 'extpoll/epoll'
import { chatProtocol } from './chat.js'
import { ControlSocket } from './control-socket.js'
import { eventActions } from './event-actions.js'
import type { EventActions } from './event-actions.js'
import { Meter } from './meter.js'
import { pageHandler } from './page.js'
import { PollSetFeed } from './poll-set-feed.js'
import { PollSetMirror } from './poll-set-mirror.js'
import { isLoopback, MISDIRECTED, siteNames, urlHost } from './site-names.js'
import { Valves } from './valves.js'

const DEFAULT_PORT = 8080
const DEFAULT_HOST = '127.0.0.1'
/** What the peers get to answer the close frame before they are cut off. */
const GRACE_MS = 300
const MAX_CONNECTIONS = 1024
/** Of what a page sends: JSON around 500 characters, or ballast. */
const MAX_MESSAGE_BYTES = 16_384

/** Nanoseconds count: the clock of process.hrtime, as a number of milliseconds. */
const now = (): number => performance.now()

/** Where to listen, and the name people know it by. */
interface Site {
  readonly host: string
  readonly address: string
  readonly port: number
}

/** What `status` tells of the loop. */
interface Counters {
  rounds: number
  events: number
  signals: number
}

process.exitCode = await main(process.argv.slice(2), process.env['PORT'] ?? String(DEFAULT_PORT))

async function main(args: readonly string[], portText: string): Promise<number> {
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : Infinity
  if (port > 65_535) return fail(2, `PORT must be a whole number from 0 to 65535, not ${portText}`)
  const host = hostIn(args)
  if (host === undefined)
    return fail(2, 'usage: main.ts [--host NAME], a name or an address of this machine')
  try {
    const { address } = await lookup(host)
    serve({ host, address, port })
    return 0
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown }
    const other = port === 9000 ? 9001 : 9000
    if (code === 'EADDRINUSE')
      return fail(1, `port ${port} is taken; choose another one: PORT=${other} make demo`)
    if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL')
      return fail(1, `${host} is no name of this machine; give --host one, or an address of it`)
    if (code === undefined) throw error
    return fail(1, String(message))
  }
}

/** @returns undefined where the arguments are wrong */
function hostIn(args: readonly string[]): string | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: { host: { type: 'string' } } })
    return values.host === '' ? undefined : (values.host ?? DEFAULT_HOST)
  } catch {
    return undefined
  }
}

function fail(status: number, message: string): number {
  writeSync(2, `${message}\n`)
  return status
}

/** From an empty poll set to an empty poll set. */
function serve(site: Site): void {
  const counters: Counters = { rounds: 0, events: 0, signals: 0 }
  const mirror = new PollSetMirror()
  const actions = eventActions('epoll', (op, polled, bits) => mirror.heard(op, polled, bits))
  actions.init()
  const signals = watchSignals(['SIGINT', 'SIGTERM'])
  const countSignals = () => {
    counters.signals += signals.read().length
  }
  actions.add(signals.fd, POLLIN, countSignals, { what: 'signals' })
  try {
    const { ctx, feed } = listen(site, actions, mirror)
    try {
      const control = new ControlSocket(actions, () => statusOf(counters, mirror))
      printUrl(site, ctx, control.path)
      loop(ctx, actions, feed, counters, control)
    } finally {
      contextDestroy(ctx)
    }
  } finally {
    actions.del(signals.fd)
    signals.close()
    actions.done()
  }
}

/** The library's four announcements are four of the event actions. */
function listen(
  site: Site,
  actions: EventActions,
  mirror: PollSetMirror,
): { ctx: Context; feed: PollSetFeed } {
  const meter = new Meter(now)
  const serviced = (pollfd: Pollfd) => {
    const startMs = now()
    serviceFd(ctx, pollfd)
    // What showing it costs is not what is shown.
    if (!mirror.isFeed(pollfd.fd)) meter.serviced(startMs)
  }
  const { chat, feed } = protocolsOf(site, mirror, meter)
  const ctx = createContext({
    host: rawHost(),
    address: site.address,
    port: site.port,
    protocols: [chat, feed.protocol],
    on: {
      ADD_POLL_FD: (fd, events, { gen }) =>
        actions.add(fd, events, serviced, { gen, what: 'connection' }),
      DEL_POLL_FD: (fd) => actions.del(fd),
      SET_MODE: (fd, bits) => actions.enable(fd, bits),
      CLEAR_MODE: (fd, bits) => actions.disable(fd, bits),
    },
    maxConnections: MAX_CONNECTIONS,
    // The page is one request: who looks at the poll set wants to see members.
    keepAliveTimeoutMs: 1_000,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    onError: (error) => void fail(1, String(error)),
  })
  for (const { fd } of pollFds(ctx)) mirror.label(fd, 'listener')
  return { ctx, feed }
}

function protocolsOf({ host, address }: Site, mirror: PollSetMirror, meter: Meter) {
  const isOurs = siteNames(host, address)
  // The Origin, if there is one, has to match the Host besides: createContext does that.
  const filter = (_wsi: Wsi, request: RequestHead) => (isOurs(request) ? undefined : MISDIRECTED)
  const page = pageHandler(isOurs, (wsi, { method, target }) =>
    mirror.label(getSocketFd(wsi), `${method} ${target}`),
  )
  const valves = new Valves()
  const chat = chatProtocol({
    meter,
    valves,
    handlers: { FILTER_PROTOCOL_CONNECTION: filter, HTTP: page },
    onMember: (fd, name) => mirror.label(fd, `chat: ${name}`),
  })
  return { chat, feed: new PollSetFeed({ mirror, meter, valves, filter, now }) }
}

/** Until a signal came and everyone was told; a second one does not wait. */
function loop(
  ctx: Context,
  actions: EventActions,
  feed: PollSetFeed,
  counters: Counters,
  control: ControlSocket,
): void {
  const round = () => {
    counters.rounds++
    counters.events += actions.processEvents(soonest(nextTimeout(ctx), feed.timeoutMs()))
    serviceFd(ctx, null)
    feed.publish(ctx)
  }
  try {
    while (counters.signals === 0) round()
  } finally {
    control.close()
  }
  const heard = counters.signals
  closeAll(ctx, 1001, GRACE_MS)
  // Every connection has a deadline now, so each wait ends, and so does this.
  while (pollFds(ctx).length > 0 && counters.signals === heard) round()
}

/** The shorter of two waits, where -1 knows no limit. */
function soonest(oneMs: number, otherMs: number): number {
  if (oneMs < 0) return otherMs
  return otherMs < 0 ? oneMs : Math.min(oneMs, otherMs)
}

function statusOf({ rounds, events }: Counters, mirror: PollSetMirror): object {
  const nowMs = now()
  const pollSet = mirror.rows().map(({ fd, events, gen, sinceMs, what }) => {
    return { fd, events, gen, ageMs: Math.round(nowMs - sinceMs), what }
  })
  const uptimeMs = Math.round(process.uptime() * 1000)
  return { pid: process.pid, uptimeMs, rounds, events, changes: mirror.counts, pollSet }
}

function printUrl({ host, address }: Site, ctx: Context, controlPath: string): void {
  const { port } = getListenAddress(ctx)!
  const url = `http://${urlHost(host)}:${port}/`
  const whose = isLoopback(address) ? ', on this machine only' : ''
  writeSync(1, `open ${url} in two tabs${whose}; Ctrl-C ends it; status: ${controlPath}\n`)
}
