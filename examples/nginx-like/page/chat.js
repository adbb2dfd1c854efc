/**
 * The page's chat. What others wrote becomes text nodes, never markup.
 *
 * Speaks the subprotocol `chat`: {"say"} and {"name"} go out; "line", "you" and "missed" come in.
 * The same connection is the one that can be paused: pressure.js.
 */
import { byId, element, onNextFrame, setText } from './element.js'
import { socketUrl } from './feed.js'

const MAX_LINES = 200
/** More than so many lines in so long are not read out: a screen reader would do nothing else. */
const MAX_READ_OUT = 5
const READ_OUT_MS = 5000

const log = byId('lines')
const lines = log.firstElementChild
const name = byId('name')
const say = byId('say')
const meListeners = []
const ballastListeners = []
let waiting = []
/** When the last lines came. */
const arrivals = []
let readingOut

/** This page's member of the room. */
export const chat = {
  socket: new WebSocket(socketUrl(), 'chat'),
  /** Its descriptor at the server, and the key to pause it; told by "you". */
  fd: -1,
  key: '',
  onMe: (listener) => meListeners.push(listener),
  onBallast: (listener) => ballastListeners.push(listener),
}

const { socket } = chat

socket.addEventListener('message', ({ data }) => {
  const message = JSON.parse(data)
  if (message.type === 'you') introduce(message)
  else if (message.type === 'line') append(message.event === undefined ? said : happened, message)
  else if (message.type === 'missed') append(missed, message)
  else if (message.type === 'ballast') for (const listener of ballastListeners) listener(message)
})

socket.addEventListener('close', ({ code }) => {
  setText(byId('chat-state'), `connection over (${code}); reload to connect again`)
})

byId('say-form').addEventListener('submit', (event) => {
  event.preventDefault()
  if (socket.readyState !== WebSocket.OPEN || say.value.trim() === '') return
  socket.send(JSON.stringify({ say: say.value }))
  say.value = ''
})

byId('name-form').addEventListener('submit', (event) => {
  event.preventDefault()
  if (socket.readyState !== WebSocket.OPEN || name.value.trim() === '') return
  socket.send(JSON.stringify({ name: name.value }))
  say.focus()
})

function introduce({ fd, key, name: mine }) {
  chat.fd = fd
  chat.key = key
  setText(byId('chat-state'), `you are fd ${fd}`)
  if (document.activeElement !== name) name.value = mine
  for (const listener of meListeners) listener(fd)
}

function said(message) {
  return [element('bdi', 'name', message.name), fdOf(message), element('bdi', '', message.text)]
}

function happened(message) {
  const event = element('span', 'event', message.event)
  return [element('bdi', 'name', message.name), fdOf(message), event]
}

function missed({ lines: count }) {
  return [element('span', 'event', `${count} lines came faster than they could be sent`)]
}

function fdOf({ fd }) {
  return element('span', 'fd', ` fd ${fd} `)
}

/** Lines that would be pushed out before they are seen are not drawn. */
function append(partsOf, message) {
  hushFlood()
  waiting.push({ partsOf, message })
  if (waiting.length > MAX_LINES) waiting.shift()
  draw()
}

function hushFlood() {
  const nowMs = performance.now()
  arrivals.push(nowMs)
  if (arrivals.length <= MAX_READ_OUT || nowMs - arrivals.shift() > READ_OUT_MS) return
  log.setAttribute('aria-live', 'off')
  clearTimeout(readingOut)
  readingOut = setTimeout(() => log.setAttribute('aria-live', 'polite'), READ_OUT_MS)
}

/** The newest line stays in view, unless the reader scrolled up: panels.css sees to that. */
const draw = onNextFrame(() => {
  const items = waiting.map(({ partsOf, message }) => {
    const mine = message.fd === chat.fd ? 'mine' : ''
    return element('li', mine, ...partsOf(message))
  })
  waiting = []
  lines.append(...items)
  while (lines.children.length > MAX_LINES) lines.firstElementChild.remove()
})
