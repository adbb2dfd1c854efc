/**
 * A process whose loop is not ours and knows one descriptor: `poll` PATH is poll-loop.c, compiled;
 * `epoll` is a Poller around the host's. Each has something of its own to wait for as well.
 *
 * Prints its port. Messages: `counts` answers what the loop counted, as JSON; `pause` stops reading
 * from its peer; `end` ends the process; others come back.
 */
import { createRequire } from 'node:module'
import {
  contextDestroy,
  createContext,
  defineProtocol,
  getListenAddress,
  isDestroyed,
  nextTimeout,
  POLLIN,
  rxFlowControl,
  TEXT,
  write,
} from '../../src/index.js'
import type { Pollfd } from '../../src/index.js'
import { epollHost, getPollFd, Poller, service, watchSignals } from '../../integrations/epoll.js'
import { checked } from '../../integrations/fake-poller.js'

const [way, file = ''] = process.argv.slice(2)
const TICK_MS = 20
/** Wake-ups, calls of service, and what the loop's own descriptor told. */
const counts = new Int32Array(3)

const protocol = defineProtocol({
  handlers: {
    RECEIVE(wsi, data) {
      const text = data.toString()
      if (text === 'end') contextDestroy(ctx)
      else if (text === 'pause') rxFlowControl(wsi, 0)
      else write(wsi, text === 'counts' ? JSON.stringify([...counts]) : data, TEXT)
    },
  },
})
const host = epollHost()
const checker = checked(host)
const ctx = createContext({
  host: { ...host, ...checker },
  port: 0,
  protocols: [protocol],
  handshakeTimeoutMs: 300,
  pingIntervalMs: 250,
})

interface PollLoop {
  run(
    fd: number,
    counts: Int32Array,
    serve: () => boolean,
    nextTimeout: () => number,
    tickMs: number,
  ): void
}

function runUnderPoll(): void {
  const loop = createRequire(import.meta.url)(file) as PollLoop
  const serve = (): boolean => {
    service(ctx, 0)
    return !isDestroyed(ctx)
  }
  loop.run(getPollFd(ctx), counts, serve, () => nextTimeout(ctx), TICK_MS)
}

/** What is its own: a signal, which the test sends. */
function runUnderEpoll(): void {
  const outer = new Poller({ maxWaitMs: 60_000 })
  const watch = watchSignals(['SIGUSR2'])
  const pollfds: Pollfd[] = []
  outer.add(watch.fd, POLLIN)
  outer.add(getPollFd(ctx), POLLIN)
  while (!isDestroyed(ctx)) {
    const count = outer.wait(pollfds, nextTimeout(ctx))
    counts[0]!++
    let ours = count === 0
    for (const { fd } of pollfds.slice(0, count)) {
      if (fd === watch.fd) counts[2]! += watch.read().length
      else ours = true
    }
    if (!ours) continue
    counts[1]!++
    service(ctx, 0)
  }
  watch.close()
  outer.close()
}

console.log(getListenAddress(ctx)!.port)
if (way === 'poll') runUnderPoll()
else runUnderEpoll()
checker.assertClean()
host.poller.close()
