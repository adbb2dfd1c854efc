/**
 * A hundred honest peers in a process of their own: all send a message on the beat, and time its
 * echo.
 *
 * Arguments: place, peers. Says `open` once all are, and answers each line on stdin by one of JSON:
 * the latencies since the last, as a Beat. A message is sent on its beat whether the last echo
 * came or not, so that a server that stands still for a while is seen by all that was due.
 */
import { BINARY_FRAME, HostileSocket, maskedFrame } from './hostile-socket.js'

export interface Beat {
  readonly samples: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Messages that wait for their echo. */
  readonly waiting: number
  /** Peers whose connection ended: none should. */
  readonly lost: number
}

const [place, count] = process.argv.slice(2)
const BEAT_MS = 20
const message = maskedFrame(BINARY_FRAME, Buffer.alloc(20, 0x68))

const peers: { readonly client: HostileSocket; readonly sentMs: number[] }[] = []
let latencies: number[] = []
let lost = 0

for (let index = 0; index < Number(count); index++) {
  const client = await HostileSocket.open(place!, 'honest')
  const sentMs: number[] = []
  client.onFrame = () => void latencies.push(performance.now() - sentMs.shift()!)
  void client.ended.then(() => lost++)
  peers.push({ client, sentMs })
}
console.log('open')

let dueMs = performance.now()
function beat(): void {
  for (const now = performance.now(); dueMs <= now; dueMs += BEAT_MS) {
    for (const { client, sentMs } of peers) {
      sentMs.push(performance.now())
      client.socket.write(message)
    }
  }
}
setInterval(beat, 1)

process.stdin.on('data', () => {
  const now = performance.now()
  const waiting = peers.flatMap(({ sentMs }) => sentMs)
  const sorted = [...latencies, ...waiting.map((ms) => now - ms)].sort((a, b) => a - b)
  latencies = []
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? 0
  const report: Beat = {
    samples: sorted.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    waiting: waiting.length,
    lost,
  }
  console.log(JSON.stringify(report))
})
process.stdin.on('end', () => process.exit(0))
