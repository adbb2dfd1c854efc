/**
 * A peer at full speed: sends small messages to the port given, as fast as they are taken, and
 * reads every echo. Says `flooding` with the first, and at its end how many messages came back.
 *
 * Writes bytes of RFC 6455 itself, so that the server and not the flooder is what is measured.
 */
import { once } from 'node:events'
import { connect } from 'node:net'

const FRAME_BYTES = 2 + 4 + 20
const ECHO_BYTES = 2 + 20
const frame = Buffer.alloc(FRAME_BYTES, 'x')
frame.set([0x82, 0x80 | 20, 0, 0, 0, 0])
const chunk = Buffer.concat(Array.from({ length: 2000 }, () => frame))

const key = Buffer.alloc(16).toString('base64')
const socket = connect(Number(process.argv[2]), '127.0.0.1')
socket.write(
  `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
)
await once(socket, 'data')
let bytes = 0
socket.on('data', (data: Buffer) => (bytes += data.length))
console.log('flooding')
process.once('SIGTERM', () => {
  console.log(String(Math.round(bytes / ECHO_BYTES)))
  process.exit()
})
for (;;) if (!socket.write(chunk)) await once(socket, 'drain')
