/**
 * A program in the shape of nginx: one loop of its own over one poll set, in which the library's
 * descriptors wait beside the program's.
 *
 * The library is a guest here: it announces what it waits for, and is called when that is ready.
 * The loop, the wait, the signals and the control socket are the program's. Run by `make demo`.
 */
import { writeSync } from 'node:fs'
import { closeAll, contextDestroy, createContext, getListenAddress, nextTimeout } from 'extpoll'
import { pollFds, POLLIN, serviceFd } from 'extpoll'
import type { Context, Pollfd } from 'extpoll'
import { rawHost, watchSignals } from 'extpoll/epoll'
import { chatProtocol } from './chat.js'
import { ControlSocket } from './control-socket.js'
import { eventActions } from './event-actions.js'
import type { EventActions } from './event-actions.js'
import { pageHandler } from './page.js'
import { PollSetFeed } from './poll-set-feed.js'

const DEFAULT_PORT = 8080
/** What the peers get to answer the close frame before they are cut off. */
const GRACE_MS = 300
const MAX_CONNECTIONS = 256
/** Of what a page sends: JSON around 500 characters. */
const MAX_MESSAGE_BYTES = 4096

/** What `status` tells of the loop. */
interface Counters {
  rounds: number
  events: number
  signals: number
}

process.exitCode = main(process.env['PORT'] ?? String(DEFAULT_PORT))

function main(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Infinity
  if (port > 65_535) return fail(2, `PORT must be a whole number from 0 to 65535, not ${text}`)
  try {
    serve(port)
    return 0
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown }
    const other = port === 9000 ? 9001 : 9000
    if (code === 'EADDRINUSE')
      return fail(1, `port ${port} is taken; choose another one: PORT=${other} make demo`)
    if (code === undefined) throw error
    return fail(1, String(message))
  }
}

function fail(status: number, message: string): number {
  writeSync(2, `${message}\n`)
  return status
}

/** From an empty poll set to an empty poll set. */
function serve(port: number): void {
  const counters: Counters = { rounds: 0, events: 0, signals: 0 }
  const feed = new PollSetFeed()
  const actions = eventActions('epoll', (op, polled, bits) => feed.heard(op, polled, bits))
  feed.watch(actions)
  actions.init()
  const signals = watchSignals(['SIGINT', 'SIGTERM'])
  const countSignals = () => {
    counters.signals += signals.read().length
  }
  actions.add(signals.fd, POLLIN, countSignals, { what: 'signals' })
  try {
    const ctx = listen(port, actions, feed)
    try {
      const control = new ControlSocket(actions, () => statusOf(counters, feed))
      printUrl(ctx, control.path)
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
function listen(port: number, actions: EventActions, feed: PollSetFeed): Context {
  const serviced = (pollfd: Pollfd) => {
    serviceFd(ctx, pollfd)
  }
  const page = pageHandler()
  const chat = chatProtocol({ HTTP: page }, (fd, name) => feed.label(fd, `chat: ${name}`))
  const ctx = createContext({
    host: rawHost(),
    port,
    protocols: [chat, feed.protocol],
    on: {
      ADD_POLL_FD: (fd, events, { gen }) =>
        actions.add(fd, events, serviced, { gen, what: 'request' }),
      DEL_POLL_FD: (fd) => actions.del(fd),
      SET_MODE: (fd, bits) => actions.enable(fd, bits),
      CLEAR_MODE: (fd, bits) => actions.disable(fd, bits),
    },
    maxConnections: MAX_CONNECTIONS,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    onError: (error) => void fail(1, String(error)),
  })
  for (const { fd } of pollFds(ctx)) feed.label(fd, 'listener')
  return ctx
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
    counters.events += actions.processEvents(nextTimeout(ctx))
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

function statusOf({ rounds, events }: Counters, feed: PollSetFeed): object {
  const uptimeMs = Math.round(process.uptime() * 1000)
  return { pid: process.pid, uptimeMs, rounds, events, changes: feed.counts, pollSet: feed.rows() }
}

function printUrl(ctx: Context, controlPath: string): void {
  const { address, port } = getListenAddress(ctx)!
  const url = `http://${address}:${port}/`
  writeSync(1, `open ${url} in two tabs; Ctrl-C ends it; status: ${controlPath}\n`)
}
