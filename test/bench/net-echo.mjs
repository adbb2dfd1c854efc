/*
 * What Node's own sockets cost: a TCP echo with net.Socket, as plain as it can be written. It
 * speaks no WebSocket: the load sends the bytes of its frames raw, and gets them back.
 */
import { createServer } from 'node:net'

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (data) => socket.write(data))
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on tcp://127.0.0.1:${server.address().port}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0))
