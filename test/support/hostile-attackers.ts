/**
 * Attackers of one family in a process of their own.
 *
 * Arguments: family, place, attackers, the limit they are after. Says `ready`, and begins with the
 * first line on stdin. Ends when each of them is gone; its last line is JSON, an Attack for each
 * connection made.
 */
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { HostileSocket, maskedFrame, PING_FRAME, TEXT_FRAME } from './hostile-socket.js'

/** What one attacker saw. */
export interface Attack {
  readonly name: string
  readonly status: number
  readonly closeCode: number
  /** From the connection to the answer, and from there to the end. */
  readonly answeredMs: number
  readonly goneMs: number
  readonly pongs: number
  /** Nobody ended it: it gave up by itself. */
  readonly stuck: boolean
  /** It was let go on up to its limit, and was still there. */
  readonly livedToLimit: boolean
}

const [family, place = '', count, limitText] = process.argv.slice(2)
const limit = Number(limitText)
/** They come one by one, so that it is the attacks that cost, and not two hundred handshakes. */
const GATHER_MS = 1000
/** Those whose attacks end at once come again for so long. */
const SIEGE_MS = 2500
/** Who is still there then is not gone at any limit. */
const PATIENCE_MS = 10_000
const attacks: Attack[] = []
let beganMs = 0
const endMs = (): number => beganMs + SIEGE_MS

async function record(
  name: string,
  client: HostileSocket,
  connectedMs: number,
  livedToLimit: boolean,
): Promise<void> {
  const patience = new AbortController()
  const givenUp = pause(PATIENCE_MS, -1, { signal: patience.signal }).catch(() => -1)
  const first = await Promise.race([client.ended, givenUp])
  patience.abort()
  client.socket.destroy()
  const endedMs = first < 0 ? performance.now() : first
  const answeredMs = client.answeredMs === 0 ? endedMs : client.answeredMs
  attacks.push({
    name,
    status: client.status,
    closeCode: client.closeCode,
    answeredMs: answeredMs - connectedMs,
    goneMs: endedMs - answeredMs,
    pongs: client.frames.get(10) ?? 0,
    stuck: first < 0,
    livedToLimit,
  })
}

/** A byte now and then, for as long as it is let; the answer is not obeyed. */
async function slowHandshake(index: number): Promise<void> {
  const connectedMs = performance.now()
  const client = new HostileSocket(place)
  await client.connected
  const bytes = 'GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '
  let at = 0
  const drip = setInterval(() => client.socket.write(bytes[at++] ?? 'x'), 250)
  await record(`${index}`, client, connectedMs, true)
  clearInterval(drip)
}

const QUIET_MS = 1000

/** Pings as fast as they are taken, and reads nothing before the server takes no more. */
async function pingFlood(index: number): Promise<void> {
  const ping = maskedFrame(PING_FRAME, Buffer.alloc(125, 0x70))
  const chunk = Buffer.concat(Array.from({ length: 200 }, () => ping))
  for (let turn = 0; performance.now() < endMs(); turn++) {
    const name = `${index}.${turn}`
    const client = await HostileSocket.open(place, name)
    const { socket } = client
    socket.pause()
    const connectedMs = performance.now()
    let takenMs = connectedMs
    while (performance.now() - takenMs < QUIET_MS && !socket.destroyed) {
      if (!socket.writableNeedDrain) {
        socket.write(chunk)
        takenMs = performance.now()
      }
      await pause(socket.writableNeedDrain ? 10 : 0)
    }
    socket.resume()
    socket.once('end', () => socket.destroy())
    await record(name, client, connectedMs, true)
  }
}

/** A message of tiny fragments that never ends: up to the limit, then a tenth more; and again. */
async function fragmentFlood(index: number): Promise<void> {
  const first = maskedFrame(0x01, Buffer.from('a'))
  const next = maskedFrame(0x00, Buffer.from('b'))
  const upTo = Buffer.concat([first, ...Array.from({ length: limit - 1 }, () => next)])
  const beyond = Buffer.concat(Array.from({ length: Math.ceil(limit / 10) }, () => next))
  for (let turn = 0; performance.now() < endMs(); turn++) {
    const name = `${index}.${turn}`
    const client = await HostileSocket.open(place, name)
    const connectedMs = performance.now()
    const ponged = new Promise<void>((resolve) => (client.onFrame = () => resolve()))
    client.socket.write(upTo)
    client.socket.write(maskedFrame(PING_FRAME, Buffer.alloc(0)))
    await Promise.race([ponged, client.ended, pause(PATIENCE_MS, 0, { ref: false })])
    const lived = client.closeCode === 0 && !client.socket.destroyed
    client.socket.write(beyond)
    client.socket.once('end', () => client.socket.end())
    await record(name, client, connectedMs, lived)
  }
}

/** Asks again and again, and never reads. */
async function neverReads(index: number): Promise<void> {
  const client = await HostileSocket.open(place, `${index}`)
  const connectedMs = performance.now()
  client.socket.pause()
  const ask = maskedFrame(TEXT_FRAME, Buffer.from('give 65536'))
  const asking = setInterval(() => {
    if (!client.socket.writableNeedDrain) client.socket.write(ask)
  }, 10)
  await record(`${index}`, client, connectedMs, true)
  clearInterval(asking)
}

const families: Readonly<Record<string, (index: number) => Promise<void>>> = {
  'slow handshakes': slowHandshake,
  'ping floods': pingFlood,
  'tiny-fragment floods': fragmentFlood,
  'never read': neverReads,
}

console.log('ready')
await once(process.stdin, 'data')
beganMs = performance.now()
async function attack(index: number): Promise<void> {
  await pause((index / Number(count)) * GATHER_MS)
  await families[family!]!(index)
}
await Promise.all(Array.from({ length: Number(count) }, (_, index) => attack(index)))
console.log(JSON.stringify(attacks))
process.stdin.destroy()
