/**
 * Pauses this page's chat connection at the server, and fills it, so that one can see where the
 * bytes stay: first in the kernel, then in the page's own queue.
 *
 * The word to pause and to go on is sent over the feed: the paused connection is not read.
 */
import { chat } from './chat.js'
import { byId, bytesText, setText } from './element.js'
import { feed } from './feed.js'

/** One message of ballast, as large as the server takes. */
const PIECE = new Uint8Array(16_384)
const PIECES_A_STEP = 16
const STEP_MS = 50
/** A page that is not taken from stops sending: that is what back-pressure is for. */
const MAX_QUEUED_BYTES = 2_000_000

const button = byId('pause')
const { socket } = chat
const bytes = { sent: 0, read: 0 }
let paused = false
let everPaused = false
let stepping

chat.onMe(() => {
  if (!everPaused) show(`The server reads it: POLLIN is in the mask of fd ${chat.fd}.`)
  button.disabled = false
})
chat.onBallast(({ bytes: read }) => {
  bytes.read = read
  drawStages()
})
socket.addEventListener('close', end)
feed.onClose(end)

button.addEventListener('click', () => {
  if (paused) resume()
  else pause()
})

function pause() {
  everPaused = true
  setPaused(true)
  feed.send({ pause: chat.key })
  stepping ??= setInterval(step, STEP_MS)
  show(
    `CLEAR_MODE took POLLIN from fd ${chat.fd}, so nobody reads it. What this page sends fills ` +
      'the kernel’s buffers first, then its own queue; a word in the chat waits there too.',
  )
}

function resume() {
  setPaused(false)
  feed.send({ resume: chat.key })
  show(`SET_MODE gave fd ${chat.fd} its POLLIN back: all of it arrives, in order, none is lost.`)
}

/** The name of the button says what it does next, so it has no pressed state besides. */
function setPaused(now) {
  paused = now
  button.classList.toggle('on', paused)
  setText(button, paused ? 'Resume' : 'Pause this connection')
}

/** Sends while paused, then watches the queue until it is empty. */
function step() {
  if (paused) {
    // It may be closing, and then takes nothing more.
    if (socket.readyState !== WebSocket.OPEN) return
    for (let piece = 0; piece < PIECES_A_STEP; piece++) {
      if (socket.bufferedAmount >= MAX_QUEUED_BYTES) {
        show('All buffers are full: the page knows by its own queue, and stops sending.')
        break
      }
      socket.send(PIECE)
      bytes.sent += PIECE.length
    }
  } else if (bytes.read === bytes.sent) {
    clearInterval(stepping)
    stepping = undefined
  }
  drawStages()
}

function drawStages() {
  const queued = Math.min(socket.bufferedAmount, bytes.sent - bytes.read)
  const stages = { queued, 'on-the-way': bytes.sent - bytes.read - queued, read: bytes.read }
  for (const [id, amount] of Object.entries(stages)) {
    setText(byId(id), bytesText(amount))
    byId(`${id}-bar`).style.width = `${bytes.sent === 0 ? 0 : (100 * amount) / bytes.sent}%`
  }
}

function end() {
  clearInterval(stepping)
  setPaused(false)
  button.disabled = true
  show('The connection is over.')
}

function show(sentence) {
  setText(byId('pressure-state'), sentence)
}
