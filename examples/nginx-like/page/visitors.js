/**
 * Visitors that chat: connections of this page's own, for who wants to see traffic.
 *
 * Each says something now and then, and some leave and come back as somebody else.
 */
import { byId, setText } from './element.js'
import { feed, socketUrl } from './feed.js'

const AT_ONCE = 10
/** Browsers do not open many more for one page. */
const MAX_VISITORS = 100
const MIN_SILENCE_MS = 400
const MAX_SILENCE_MS = 2600
const LEAVING_SHARE = 0.04

const NAMES =
  'Wren Heron Plover Siskin Dunlin Avocet Linnet Curlew Godwit Pipit Whimbrel Merlin'.split(' ')

const SENTENCES = [
  (fd) => `I am fd ${fd}. Who are you?`,
  () => 'One thread serves all of us. I looked.',
  () => 'Watch the map when I leave.',
  () => 'Nobody here is waiting for POLLOUT, so nobody waits.',
  () => 'My generation is new, my number is second-hand.',
  (fd) => `Pause fd ${fd}, I dare you.`,
  () => 'Level-triggered since 2011.',
  () => 'When we all stop talking, the loop falls asleep.',
  () => 'A slow reader gets fewer states, never a queue of old ones.',
  () => 'I only came for the poll set.',
  () => 'SET, CLEAR, SET, CLEAR. That is all there is to it.',
  () => 'No socket was polled without need in the making of this chat.',
]

const visitors = new Set()
const invite = byId('invite')
const dismiss = byId('dismiss')

invite.addEventListener('click', () => {
  for (let i = 0; i < AT_ONCE && visitors.size < MAX_VISITORS; i++) new Visitor()
  showNumber()
})
dismiss.addEventListener('click', () => {
  for (const visitor of [...visitors]) visitor.leave()
  showNumber()
  invite.focus()
})
feed.onClose(() => {
  invite.disabled = true
})

class Visitor {
  #socket
  #timer
  #fd = -1

  constructor() {
    visitors.add(this)
    this.#come()
  }

  leave() {
    visitors.delete(this)
    clearTimeout(this.#timer)
    goodbye(this.#socket)
  }

  #come() {
    const socket = new WebSocket(socketUrl(`?name=${oneOf(NAMES)}`), 'chat')
    this.#socket = socket
    // The first message says who one is; the others are for the page's own member to show.
    const meet = ({ data }) => {
      this.#fd = JSON.parse(data).fd
      this.#wait()
    }
    socket.addEventListener('message', meet, { once: true })
    socket.addEventListener('close', () => {
      if (socket !== this.#socket) return
      clearTimeout(this.#timer)
      visitors.delete(this)
      showNumber()
    })
  }

  #wait() {
    const silenceMs = MIN_SILENCE_MS + Math.random() * (MAX_SILENCE_MS - MIN_SILENCE_MS)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#speak(), silenceMs)
  }

  #speak() {
    const socket = this.#socket
    if (Math.random() < LEAVING_SHARE) {
      this.#come()
      goodbye(socket)
      return
    }
    if (socket.readyState === WebSocket.OPEN)
      socket.send(JSON.stringify({ say: oneOf(SENTENCES)(this.#fd) }))
    this.#wait()
  }
}

/** A handshake that is given up is an error to the console: it is let finish. */
function goodbye(socket) {
  if (socket.readyState !== WebSocket.CONNECTING) socket.close(1000)
  else socket.addEventListener('open', () => socket.close(1000))
}

function oneOf(list) {
  return list[Math.floor(Math.random() * list.length)]
}

function showNumber() {
  dismiss.hidden = visitors.size === 0
  invite.disabled = visitors.size >= MAX_VISITORS || !feed.isOpen()
  setText(dismiss, visitors.size === 1 ? 'Send it home' : `Send the ${visitors.size} home`)
}
