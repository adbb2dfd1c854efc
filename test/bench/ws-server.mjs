/*
 * The neighbour we are measured against: `ws`, as fast as its own options make it: bufferutil's
 * native masking, no compression, no listeners beyond the echo. With --broadcast every message goes
 * to every connection instead, by the loop its documentation shows. Prints `listening on
 * ws://127.0.0.1:PORT` once it accepts, as ours does; before that, a line on bufferutil.
 */
import { createRequire } from 'node:module'
import { WebSocket, WebSocketServer } from 'ws'

const require = createRequire(import.meta.url)
const version = (name) => require(`${name}/package.json`).version

// bufferutil falls back to JavaScript without a word, and `ws` obeys WS_NO_BUFFER_UTIL.
function bufferutilKind() {
  if (process.env.WS_NO_BUFFER_UTIL) return 'switched off by WS_NO_BUFFER_UTIL'
  const { mask, unmask } = require('bufferutil')
  const isNative = [mask, unmask].every((f) => String(f).includes('[native code]'))
  return isNative ? 'native' : 'not native'
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
const echo = (socket, data, isBinary) => socket.send(data, { binary: isBinary })
function broadcast(_socket, data, isBinary) {
  for (const client of server.clients) {
    if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
  }
}
const answer = process.argv.includes('--broadcast') ? broadcast : echo
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => answer(socket, data, isBinary))
})
server.on('listening', () => {
  console.log(`ws ${version('ws')}, bufferutil ${version('bufferutil')} ${bufferutilKind()}`)
  console.log(`listening on ws://127.0.0.1:${server.address().port}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0))
