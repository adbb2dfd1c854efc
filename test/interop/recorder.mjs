/**
 * A server that writes down what clients send, byte by byte, one request each, and answers just
 * enough that they go on. Shares no code with the library. Source: RFC 9112 6.
 */
import { createServer } from 'node:net'

const PAGE = `<!doctype html><meta charset="utf-8"><title>recorded</title>
<link rel="stylesheet" href="/style.css"><script src="/script.js"></script>
<img src="/picture.png?x=%C3%A4&y=a|b"><p>recorded</p>`

export class Recorder {
  /** `{ client, bytes }`, in the order in which they were whole. */
  requests = []
  /** Who is at it. */
  client = ''
  #server = createServer((socket) => this.#serve(socket))

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this.#server.address().port
  }

  close() {
    this.#server.close()
  }

  #serve(socket) {
    let bytes = Buffer.alloc(0)
    let asked = false
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      for (;;) {
        const text = bytes.toString('latin1')
        if (!asked && /^expect: 100-continue/im.test(text) && text.includes('\r\n\r\n')) {
          asked = true
          socket.write('HTTP/1.1 100 Continue\r\n\r\n')
        }
        const length = wholeLength(text)
        if (length === 0) return
        this.requests.push({ client: this.client, bytes: text.slice(0, length) })
        bytes = bytes.subarray(length)
        asked = false
        answer(socket, text.slice(0, length))
      }
    })
  }
}

/** Bytes of the first request, 0 as long as it is not whole. */
function wholeLength(text) {
  const headEnd = text.indexOf('\r\n\r\n') + 4
  if (headEnd === 3) return 0
  const head = text.slice(0, headEnd)
  const length = /^content-length: *([0-9]+)\r$/im.exec(head)
  if (/^transfer-encoding: *chunked\r$/im.test(head)) {
    const end = /(?:^|\r\n)0\r\n\r\n/.exec(text.slice(headEnd))
    return end === null ? 0 : headEnd + end.index + end[0].length
  }
  const whole = headEnd + Number(length?.[1] ?? 0)
  return whole <= text.length ? whole : 0
}

function answer(socket, request) {
  const [, method, target = '/'] = /^([A-Z]+) (\S+)/.exec(request) ?? []
  const closes = /^connection: *close\r$/im.test(request) || / HTTP\/1\.0\r\n/.test(request)
  const cors =
    'Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\n' +
    'Access-Control-Allow-Methods: *\r\n'
  const page = /^(?:https?:\/\/[^/]+)?\/(?:\?.*)?$/.test(target)
  const body = page ? PAGE : 'ok\n'
  const type = page ? 'text/html' : 'text/plain'
  const status = /^upgrade: *websocket\r$/im.test(request) ? '426 Upgrade Required' : '200 OK'
  socket.write(
    `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `${cors}${closes ? 'Connection: close\r\n' : ''}\r\n${method === 'HEAD' ? '' : body}`,
  )
  if (closes) socket.end()
}
