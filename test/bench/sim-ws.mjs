/*
 * The peer of `make sim-bench`: connections of `ws` over loopback that live from connect to closing
 * handshake, server and client in this one process, 64 at a time. Prints lifecycles per second of
 * this process's CPU time.
 *
 * node test/bench/sim-ws.mjs SECONDS
 */
import { WebSocket, WebSocketServer } from 'ws'

const AT_ONCE = 64
const WARMUP_LIVES = 500

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(data, { binary: false }))
})
await new Promise((resolve) => server.once('listening', resolve))
const url = `ws://127.0.0.1:${server.address().port}`

function live() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false })
    socket.on('open', () => socket.send('hello'))
    socket.on('message', () => socket.close(1000))
    socket.on('error', reject)
    socket.on('close', (code) =>
      code === 1000 ? resolve() : reject(new Error(`closed with ${code}`)),
    )
  })
}

async function liveWhile(goesOn) {
  let count = 0
  const one = async () => {
    while (goesOn(count)) {
      count++
      await live()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return count
}

await liveWhile((count) => count < WARMUP_LIVES)
const seconds = Number(process.argv[2])
const began = cpuSeconds()
const count = await liveWhile(() => cpuSeconds() - began < seconds)
console.log(count / (cpuSeconds() - began))
server.close()
