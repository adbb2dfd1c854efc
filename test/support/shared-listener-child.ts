/** A worker that serves a listener shared with others: its descriptor, and `maxConnections`. */
import { parentPort } from 'node:worker_threads'
import { createContext, defineProtocol } from '../../src/index.js'
import { epollHost, run } from '../../integrations/epoll.js'

const [listenFd, maxConnections] = process.argv.slice(2).map(Number) as [number, number]
const ctx = createContext({
  host: epollHost({ listenFd }),
  port: 0,
  protocols: [defineProtocol({ handlers: {} })],
  maxConnections,
  acceptBudget: 1,
})
parentPort!.postMessage('waits')
run(ctx)
