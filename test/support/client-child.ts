/**
 * A client on the epoll host in a process whose resolver hangs: prints what was seen, as JSON.
 *
 * Arguments: `loop` or `node`, and the port of an echo server.
 */
import { setTimeout } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import {
  clientConnect,
  contextDestroy,
  createContext,
  defineProtocol,
  TEXT,
  write,
} from '../../src/index.js'
import { epollHost, service } from '../../integrations/epoll.js'

const seen: string[] = []
const protocol = defineProtocol({
  handlers: {
    CLIENT_ESTABLISHED: (wsi) => void write(wsi, 'hello', TEXT),
    CLIENT_RECEIVE: (_wsi, data) => void seen.push(data.toString()),
    CLIENT_CONNECTION_ERROR: (_wsi, { cause }) => void seen.push(cause),
  },
})

async function main(mode: string, port: number): Promise<void> {
  const host = epollHost(mode === 'node' ? { loop: 'node' } : {})
  const ctx = createContext({ host, protocols: [protocol], resolveTimeoutMs: 600 })
  // Three of the four threads hang; the fourth does the rest.
  clientConnect(ctx, { address: 'hang1.test', port })
  clientConnect(ctx, { address: 'hang2.test', port, family: 4 })
  clientConnect(ctx, { address: 'slow.test', port, family: 4 })
  let latestMs = 0
  let lastMs = performance.now()
  const endMs = lastMs + 1_000
  while (performance.now() < endMs) {
    if (mode === 'node') await setTimeout(10)
    else service(ctx, 10)
    const nowMs = performance.now()
    latestMs = Math.max(latestMs, nowMs - lastMs - 10)
    lastMs = nowMs
  }
  contextDestroy(ctx)
  host.poller.close()
  console.log(JSON.stringify({ seen, latestMs }))
}

/** A worker is ended while four names hang and more wait. */
async function endWorkers(port: number): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const code = `import('tsx/esm/api').then(({ register }) => {
      register()
      return import(${JSON.stringify(import.meta.url)})
    })`
    const worker = new Worker(code, { eval: true, workerData: { port } })
    await new Promise((resolve) => worker.once('message', resolve))
    await worker.terminate()
  }
  console.log(JSON.stringify({ seen: ['terminated'], latestMs: 0 }))
}

function beWorker(port: number): void {
  const host = epollHost()
  const ctx = createContext({ host, protocols: [protocol] })
  for (let count = 0; count < 10; count++)
    clientConnect(ctx, { address: `hang${count}.test`, port })
  service(ctx, 0)
  parentPort?.postMessage('begun')
  for (;;) service(ctx, -1)
}

const [, , mode = '', port = '0'] = process.argv
if (!isMainThread) beWorker((workerData as { port: number }).port)
else if (mode === 'terminate') await endWorkers(Number(port))
else await main(mode, Number(port))
// Threads that wait for a name server do not hold up the end.
if (isMainThread) process.exit(0)
