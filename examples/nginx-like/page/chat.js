/**
 * The page's chat. What others wrote becomes text nodes, never markup.
 *
 * Speaks the subprotocol `chat`: {"say"} and {"name"} go out; "line", "you" and "missed" come in.
 */

const MAX_LINES = 200

const lines = document.getElementById('lines')
const state = document.getElementById('chat-state')
const name = document.getElementById('name')
const say = document.getElementById('say')

const socket = new WebSocket(`ws://${location.host}/`, 'chat')

socket.addEventListener('message', ({ data }) => {
  const message = JSON.parse(data)
  if (message.type === 'you') {
    state.textContent = `you are fd ${message.fd}`
    document.body.dataset.chatFd = message.fd
    document.dispatchEvent(new Event('chat-fd'))
    if (document.activeElement !== name) name.value = message.name
  } else if (message.type === 'line') {
    append(message.event === undefined ? said(message) : happened(message))
  } else if (message.type === 'missed') {
    append([text('span', 'event', `${message.lines} lines came faster than they could be sent`)])
  }
})

socket.addEventListener('close', ({ code }) => {
  state.textContent = `connection over (${code}); reload to connect again`
})

document.getElementById('say-form').addEventListener('submit', (event) => {
  event.preventDefault()
  if (socket.readyState !== WebSocket.OPEN || say.value.trim() === '') return
  socket.send(JSON.stringify({ say: say.value }))
  say.value = ''
})

document.getElementById('name-form').addEventListener('submit', (event) => {
  event.preventDefault()
  if (socket.readyState !== WebSocket.OPEN || name.value.trim() === '') return
  socket.send(JSON.stringify({ name: name.value }))
  say.focus()
})

function said(message) {
  return [text('bdi', 'name', message.name), fdOf(message), text('bdi', '', message.text)]
}

function happened(message) {
  return [text('bdi', 'name', message.name), fdOf(message), text('span', 'event', message.event)]
}

function fdOf({ fd }) {
  return text('span', 'fd', ` fd ${fd}`)
}

/** Follows the newest line, unless the reader scrolled up. */
function append(parts) {
  const follows = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 8
  const item = document.createElement('li')
  item.append(...parts)
  lines.append(item)
  while (lines.children.length > MAX_LINES) lines.firstElementChild.remove()
  if (follows) lines.scrollTop = lines.scrollHeight
}

function text(tag, className, content) {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.textContent = content
  return element
}
