/**
 * A thread that is blocked in the epoll host's own loop, for tests of how such threads end.
 *
 * The first argument says which loop: `run` or `service`. Tells its port when it accepts. Echoes;
 * a message `exit N` ends the thread from within the callback, by process.exit(N).
 */
import { parentPort } from 'node:worker_threads'
import { epollHost, run, service } from '../../integrations/epoll.js'
import { BINARY, createContext, defineProtocol, getListenAddress, write } from '../../src/index.js'

const echo = defineProtocol({
  handlers: {
    RECEIVE(wsi, data) {
      const status = /^exit (\d+)$/.exec(data.toString())?.[1]
      if (status !== undefined) {
        process.env.EXTPOLL_LEAVES_OPEN = 'ended in the middle of its work'
        process.exit(Number(status))
      }
      write(wsi, data, BINARY)
    },
  },
})

const ctx = createContext({ host: epollHost(), port: 0, protocols: [echo] })
const { port } = getListenAddress(ctx)!
if (parentPort === null) console.log(String(port))
else parentPort.postMessage(port)

if (process.argv[2] === 'run') run(ctx)
else for (;;) service(ctx, -1)
