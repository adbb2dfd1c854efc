/*
 * A client of the kind given, against an echo server: connects, keeps so many messages of each
 * connection in flight, looks at every echo, and prints what it spent of the CPU, as JSON. The same
 * work around both kinds: payloads drawn before, in the order in which they are sent.
 *
 *   node client-load.mjs ours|uv|ws PORT CONNECTIONS BYTES IN-FLIGHT WARMUP SECONDS
 */
import { randomFillSync } from 'node:crypto'
import { WebSocket } from 'ws'
import {
  clientConnect,
  createContext,
  defineProtocol,
  BINARY,
  write,
} from '../../dist/src/index.js'

const [kind, ...numbers] = process.argv.slice(2)
const [port, connections, bytes, inFlight, warmup, seconds] = numbers.map(Number)

const POOL = 4096
const payloads = Array.from({ length: POOL }, () => randomFillSync(Buffer.alloc(bytes)))

let open = 0
let messages = 0
let phase = 'connecting'
let cpu
let sinceMs = 0

function fail(why) {
  console.error(`client-load: ${why}`)
  process.exit(1)
}

/** One connection's course: what it sent and what came back. */
class Course {
  constructor() {
    this.at = (open * 37) % POOL
    this.sent = this.at
    this.got = this.at
  }

  next() {
    return payloads[this.sent++ % POOL]
  }

  came(data) {
    const expected = payloads[this.got++ % POOL]
    if (data.length !== expected.length) fail(`an echo of ${data.length} bytes`)
    for (let i = 0; i < data.length; i++) if (data[i] !== expected[i]) fail('a wrong echo')
    messages++
  }
}

function tick() {
  const nowMs = performance.now()
  if (phase === 'warming' && nowMs >= sinceMs + warmup * 1000) {
    phase = 'measuring'
    sinceMs = nowMs
    messages = 0
    cpu = process.cpuUsage()
  } else if (phase === 'measuring' && nowMs >= sinceMs + seconds * 1000) {
    const { user, system } = process.cpuUsage(cpu)
    const figures = { messages, cpuUs: user + system, elapsedMs: nowMs - sinceMs }
    console.log(JSON.stringify(figures))
    process.exit(0)
  }
}

function begun() {
  phase = 'warming'
  sinceMs = performance.now()
}

async function ours(byNode) {
  const { epollHost, service } = await import('../../dist/integrations/epoll.js')
  const all = []
  const protocol = defineProtocol({
    payload: 'view',
    createSession: () => new Course(),
    handlers: {
      CLIENT_ESTABLISHED(wsi, _answer, course) {
        all.push([wsi, course])
        if (++open < connections) return
        begun()
        for (const [one, its] of all)
          for (let i = 0; i < inFlight; i++) write(one, its.next(), BINARY)
      },
      CLIENT_RECEIVE(wsi, data, course) {
        course.came(data)
        write(wsi, course.next(), BINARY)
      },
      CLIENT_CONNECTION_ERROR: (_wsi, { reason }) => fail(reason),
      CLOSED: (_wsi, { cause }) => fail(cause),
    },
  })
  const host = epollHost(byNode ? { loop: 'node' } : {})
  const ctx = createContext({ host, protocols: [protocol] })
  for (let i = 0; i < connections; i++) clientConnect(ctx, { address: '127.0.0.1', port })
  if (byNode) setInterval(tick, 10)
  else
    for (;;) {
      service(ctx, 10)
      tick()
    }
}

function others() {
  const all = []
  for (let i = 0; i < connections; i++) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false })
    socket.on('open', () => {
      const course = new Course()
      socket.on('message', (data) => {
        course.came(data)
        socket.send(course.next())
      })
      all.push([socket, course])
      if (++open < connections) return
      begun()
      for (const [one, its] of all) for (let n = 0; n < inFlight; n++) one.send(its.next())
    })
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => fail('closed'))
  }
  setInterval(tick, 10)
}

if (kind === 'ws') others()
else await ours(kind === 'uv')
