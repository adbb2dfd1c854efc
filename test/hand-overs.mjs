/*
 * Many hand-overs, counted: an http server under epoll takes every socket over while frames are
 * glued to the request or on their way; the hand-over comes at once, a tick or 10 ms later, or
 * waits for a deferred authorize. Every byte must come back once and in order; no descriptor, no
 * handle and no byte may be left. Needs what `make build addon` makes.
 */
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { BINARY, contextDestroy, createContext, defineProtocol, pollFds, write } from 'extpoll'
import { epollHost } from 'extpoll/epoll'
import { handleUpgrade, streamsHost } from 'extpoll/node-streams'

const usage = `usage: node test/hand-overs.mjs [--count N] [--streams]

  --count N   hand-overs, 1 to 1000000 (100000)
  --streams   the same over streams, nothing handed over`

const options = {
  count: { type: 'string' },
  streams: { type: 'boolean' },
  help: { type: 'boolean' },
}
const { values } = parseArgs({ options })
if (values.help) {
  console.log(usage)
  process.exit(0)
}
const count = Number(values.count ?? 100_000)
if (!(Number.isInteger(count) && count >= 1 && count <= 1e6)) throw new Error(usage)

const AT_ONCE = 64
const REQUEST =
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

let closed = 0
const echo = defineProtocol({
  name: '',
  handlers: {
    RECEIVE: (wsi, data) => void write(wsi, data, BINARY),
    CLOSED: () => void closed++,
  },
})
const ctx = createContext({ host: streamsHost(), protocols: [echo] })
const native = values.streams ? undefined : epollHost({ loop: 'node' })
const how = native === undefined ? {} : { native }
const deferred = (ms) => ({ ...how, authorize: () => sleep(ms).then(() => true) })

const take = [
  (...upgrade) => handleUpgrade(ctx, ...upgrade, how),
  (...upgrade) => process.nextTick(() => handleUpgrade(ctx, ...upgrade, how)),
  (...upgrade) => setImmediate(() => handleUpgrade(ctx, ...upgrade, how)),
  (...upgrade) => setTimeout(() => handleUpgrade(ctx, ...upgrade, how), 10),
  (...upgrade) => handleUpgrade(ctx, ...upgrade, deferred(0)),
  (...upgrade) => handleUpgrade(ctx, ...upgrade, deferred(10)),
]
let taken = 0
const server = createServer()
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => undefined)
  take[taken++ % take.length](request, socket, head)
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address()

/** A masked binary frame whose payload tells which it is; the key is 0, so that it is plain. */
function frame(payload) {
  const header = [0x82, payload.length < 126 ? 0x80 | payload.length : 0xfe]
  if (payload.length >= 126) header.push(payload.length >> 8, payload.length & 0xff)
  return Buffer.concat([Buffer.from([...header, 0, 0, 0, 0]), payload])
}
function answer(payload) {
  const sent = frame(payload)
  sent[1] &= 0x7f
  const lengthEnd = payload.length < 126 ? 2 : 4
  return Buffer.concat([sent.subarray(0, lengthEnd), payload])
}

async function once(number) {
  const payloads = [0, 1, 2].map((index) =>
    Buffer.alloc(4 + ((number * 7 + index * 131) % 400), `${number}.${index} `),
  )
  const [glued, next, last] = payloads.map(frame)
  const expected = Buffer.concat(payloads.map(answer))
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const chunks = []
  let bytes = 0
  await new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      bytes += chunk.length
      const all = Buffer.concat(chunks, bytes)
      const headEnd = all.indexOf('\r\n\r\n') + 4
      if (headEnd < 4 || bytes < headEnd + expected.length) return
      const echoed = all.subarray(headEnd)
      if (!all.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101')) || !echoed.equals(expected))
        reject(new Error(`hand-over ${number}: other bytes came back than were sent`))
      else resolve()
    })
    socket.on('close', () => reject(new Error(`hand-over ${number}: closed after ${bytes} bytes`)))
    // Glued whole, glued in part, or in a segment of its own.
    const border = [glued.length, glued.length >> 1, 0][number % 3]
    socket.write(Buffer.concat([Buffer.from(REQUEST), glued.subarray(0, border)]))
    setImmediate(() => {
      socket.write(Buffer.concat([glued.subarray(border), next]))
      setTimeout(() => socket.write(last), number % 4)
    })
  })
  socket.removeAllListeners('close').destroy()
}

const fds = () => readdirSync('/proc/self/fd').length
const fdsBefore = fds()
const began = performance.now()
let next = 0
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (next < count) await once(next++)
  }),
)
for (let wait = 0; pollFds(ctx).length > 0 && wait < 500; wait++) await sleep(10)
const seconds = ((performance.now() - began) / 1000).toFixed(1)
await sleep(50)
const left = { descriptors: fds() - fdsBefore, polled: pollFds(ctx).length, lost: count - closed }
console.log(`${count} hand-overs in ${seconds} s, ${taken} taken, ${JSON.stringify(left)}`)
const connections = await new Promise((resolve) => server.getConnections((_e, n) => resolve(n)))
if (left.descriptors > 0 || left.polled > 0 || left.lost !== 0 || connections !== 0) {
  console.error(`left behind: ${JSON.stringify({ ...left, connections })}`)
  process.exitCode = 1
}
contextDestroy(ctx)
server.close()
native?.poller.close()
const stuck = setTimeout(() => {
  console.error(`still there: ${process.getActiveResourcesInfo().join(', ')}`)
  process.exit(1)
}, 2_000)
stuck.unref()
process.on('exit', () => clearTimeout(stuck))
