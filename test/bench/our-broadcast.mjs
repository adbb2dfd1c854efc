/*
 * Our server for the broadcast rows: what one connection sends goes to all. By `broadcast()`, whose
 * callback writes; with --prepared by one prepared frame, written to each connection in turn.
 * Prints `listening on ws://127.0.0.1:PORT` once it accepts.
 */
import {
  BINARY,
  broadcast,
  createContext,
  defineProtocol,
  getListenAddress,
  getProtocol,
  prepareFrame,
  write,
  writePrepared,
} from '../../dist/src/index.js'
import { epollHost, run } from '../../dist/integrations/epoll.js'

const byBroadcast = {
  RECEIVE: (wsi, data) => void broadcast(getProtocol(wsi), data),
  BROADCAST: (wsi, data) => void write(wsi, data, BINARY),
}

const everyone = new Set()
const byPreparedFrame = {
  ESTABLISHED: (wsi) => void everyone.add(wsi),
  CLOSED: (wsi) => void everyone.delete(wsi),
  RECEIVE(_wsi, data) {
    const frame = prepareFrame(data, BINARY)
    for (const wsi of everyone) writePrepared(wsi, frame)
  },
}

const handlers = process.argv.includes('--prepared') ? byPreparedFrame : byBroadcast
const ctx = createContext({
  host: epollHost(),
  address: '127.0.0.1',
  port: 0,
  protocols: [defineProtocol({ handlers, payload: 'view' })],
})
console.log(`listening on ws://127.0.0.1:${getListenAddress(ctx).port}`)
run(ctx)
