/**
 * Attackers of one family in a process of their own, which asks for less of the machine than the
 * server and the honest peers do.
 *
 * Arguments: family, port, attackers. Ends when each of them is gone; its one line is JSON, an
 * Attack for each connection made. Knows no limit but those it is told to stay below.
 */
import { setPriority } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { HostileSocket, maskedFrame, PING_FRAME, TEXT_FRAME } from './hostile-socket.js'

/** What one attacker saw. */
export interface Attack {
  readonly port: number
  /** Of an answer to no WebSocket handshake. */
  readonly status: number
  readonly closeCode: number
  /** From the connection to the answer, and from there to the end. */
  readonly answeredMs: number
  readonly goneMs: number
  readonly pongs: number
  /** It was let go on up to its limit, and was still there. */
  readonly livedToLimit: boolean
}

const [family, portText, countText, limitText] = process.argv.slice(2)
const port = Number(portText)
const count = Number(countText)
const limit = Number(limitText)
const attacks: Attack[] = []

async function record(
  client: HostileSocket,
  connectedMs: number,
  livedToLimit: boolean,
): Promise<void> {
  const endedMs = await client.ended
  const answeredMs = client.answeredMs === 0 ? endedMs : client.answeredMs
  attacks.push({
    port: client.port,
    status: client.status,
    closeCode: client.closeCode,
    answeredMs: answeredMs - connectedMs,
    goneMs: endedMs - answeredMs,
    pongs: client.frames.get(10) ?? 0,
    livedToLimit,
  })
}

/** A byte now and then, for as long as it is let; the answer is not obeyed. */
async function slowHandshake(index: number): Promise<void> {
  await pause(index / 4)
  const client = new HostileSocket(port)
  const connectedMs = await client.connectedMs
  const bytes = 'GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '
  let at = 0
  const drip = setInterval(() => client.socket.write(bytes[at++] ?? 'x'), 250)
  await record(client, connectedMs, true)
  clearInterval(drip)
}

const QUIET_MS = 600

/** Pings as fast as they are taken, and reads nothing before the server takes no more. */
async function pingFlood(): Promise<void> {
  const client = await HostileSocket.open(port)
  const { socket } = client
  socket.pause()
  const connectedMs = performance.now()
  const chunk = Buffer.concat(
    Array.from({ length: 200 }, () => maskedFrame(PING_FRAME, Buffer.alloc(125, 0x70))),
  )
  let drainedMs = performance.now()
  socket.on('drain', () => (drainedMs = performance.now()))
  while (performance.now() - drainedMs < QUIET_MS && !socket.destroyed) {
    if (socket.write(chunk)) drainedMs = performance.now()
    await pause(socket.writableNeedDrain ? 10 : 0)
  }
  socket.resume()
  await record(client, connectedMs, true)
}

/** A message of tiny fragments that never ends: up to the limit, then a tenth more; and again. */
async function fragmentFlood(): Promise<void> {
  const until = performance.now() + 2000
  const first = maskedFrame(0x01, Buffer.from('a'))
  const next = maskedFrame(0x00, Buffer.from('b'))
  const upTo = Buffer.concat([first, ...Array.from({ length: limit - 1 }, () => next)])
  const beyond = Buffer.concat(Array.from({ length: Math.ceil(limit / 10) }, () => next))
  while (performance.now() < until) {
    const client = await HostileSocket.open(port)
    const connectedMs = performance.now()
    const ponged = new Promise<void>((resolve) => (client.onFrame = () => resolve()))
    client.socket.write(upTo)
    client.socket.write(maskedFrame(PING_FRAME, Buffer.alloc(0)))
    await Promise.race([ponged, client.ended])
    const lived = client.closeCode === 0 && !client.socket.destroyed
    client.socket.write(beyond)
    client.socket.once('end', () => client.socket.end())
    await record(client, connectedMs, lived)
  }
}

/** Asks again and again, and never reads. */
async function neverReads(): Promise<void> {
  const client = await HostileSocket.open(port)
  const connectedMs = performance.now()
  client.socket.pause()
  const ask = maskedFrame(TEXT_FRAME, Buffer.from('give 65536'))
  const asking = setInterval(() => {
    if (!client.socket.writableNeedDrain) client.socket.write(ask)
  }, 10)
  await record(client, connectedMs, true)
  clearInterval(asking)
}

const families: Readonly<Record<string, (index: number) => Promise<void>>> = {
  'slow handshakes': slowHandshake,
  'ping floods': pingFlood,
  'tiny-fragment floods': fragmentFlood,
  'never read': neverReads,
}

setPriority(10)
await Promise.all(Array.from({ length: count }, (_, index) => families[family!]!(index)))
console.log(JSON.stringify(attacks))
