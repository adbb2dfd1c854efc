// Conversations with an echo server through the WebSocket that browsers have, and Node since 22.
//
// Runs in a page and in Node alike: uses the class by its standard (WHATWG WebSockets) and nothing
// else. Each function throws where something is not as it should be.

const TEXTS = ['hello', '', 'grüß Gott, 世界 🌍', '\0\x7f\x80\uffff', 'é'.repeat(2 ** 19)]
const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 2 ** 20]

function must(holds, what) {
  if (!holds) throw new Error(what)
}

/** An open socket, whose messages are asked for one by one. */
async function open(url, offered = []) {
  const socket = new WebSocket(url, offered)
  socket.binaryType = 'arraybuffer'
  const waiting = []
  let arrived = () => {}
  socket.onmessage = ({ data }) => {
    waiting.push(data)
    arrived()
  }
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean })
  })
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = () => reject(new Error(`not opened: ${url}`))
  })
  async function next() {
    while (waiting.length === 0) await new Promise((resolve) => (arrived = resolve))
    return waiting.shift()
  }
  return { socket, closed, next }
}

/** Texts come back as texts, in order. */
export async function text(url) {
  const { socket, next, closed } = await open(url)
  for (const data of TEXTS) socket.send(data)
  for (const data of TEXTS) must((await next()) === data, `the echo differs: ${data.slice(0, 20)}`)
  socket.close()
  must((await closed).wasClean, 'no closing handshake')
}

/** Bytes come back as bytes, in every form of length. */
export async function binary(url) {
  const { socket, next, closed } = await open(url)
  for (const length of LENGTHS) {
    const sent = Uint8Array.from({ length }, (_, i) => (i * 7) % 251)
    socket.send(sent)
    const got = new Uint8Array(await next())
    must(got.length === length, `${got.length} of ${length} bytes came back`)
    must(
      got.every((byte, i) => byte === sent[i]),
      `the echo of ${length} bytes differs`,
    )
  }
  socket.send(new Blob(['of a ', 'blob']))
  must((await next()).byteLength === 9, 'the blob differs')
  socket.close()
  await closed
}

/** Many messages on their way at once keep their order. */
export async function inFlight(url) {
  const { socket, next, closed } = await open(url)
  for (let i = 0; i < 5000; i++) socket.send(String(i))
  for (let i = 0; i < 5000; i++) must((await next()) === String(i), `${i} did not come in its turn`)
  socket.close()
  await closed
}

/** The code that we close with is the one that comes back. */
export async function closeCodes(url) {
  for (const code of [1000, 3000, 3999, 4000, 4999]) {
    const { socket, closed } = await open(url)
    socket.close(code, `because of ${code}, grüße`)
    const end = await closed
    must(end.code === code && end.wasClean, `${code} became ${JSON.stringify(end)}`)
  }
  const { socket, closed } = await open(url)
  socket.close()
  const end = await closed
  must(end.code === 1005 && end.wasClean, `no code became ${JSON.stringify(end)}`)
}

/** One byte more than the server takes. */
export async function closedByServer(url) {
  const { socket, closed } = await open(url)
  socket.send(new Uint8Array(2 ** 20 + 1))
  const { code, reason } = await closed
  must(code === 1009 && reason.includes('larger'), `${code} ${reason}`)
}

/** The first of ours that the server speaks. */
export async function subprotocol(url) {
  const { socket, closed, next } = await open(url, ['other', 'chat'])
  must(socket.protocol === 'chat', `${socket.protocol} was chosen`)
  must(socket.extensions === '', `${socket.extensions} was agreed on`)
  socket.send('hello')
  must((await next()) === 'hello', 'the echo differs')
  socket.close()
  await closed
}

/** A handshake that is refused is an error, and never opens. */
export async function refused(url) {
  const socket = new WebSocket(url, ['other'])
  await new Promise((resolve, reject) => {
    socket.onerror = resolve
    socket.onopen = () => reject(new Error('it opened'))
  })
  must(socket.readyState !== WebSocket.OPEN, 'it opened')
}

/** Waits for the server to go away. @param opened called once the connection is open */
export async function shutdown(url, opened) {
  const { closed } = await open(url)
  opened()
  const { code, wasClean } = await closed
  must(code === 1001 && wasClean, `${code}, clean: ${wasClean}`)
}
