/**
 * The socket that tells of the poll set, subprotocol `pollset`, and the server's clock.
 *
 * Each message is what happened since the last one; who listens is given all of them in order.
 */

const socket = new WebSocket(socketUrl(), 'pollset')
const listeners = []
const closeListeners = []
/** The server's clock less this page's, in milliseconds. */
let aheadMs = 0

export const feed = {
  /** This page's own descriptor there; -1 where it is not known yet. */
  fd: -1,
  isOpen: () => socket.readyState === WebSocket.OPEN,
  onNews: (listener) => listeners.push(listener),
  onClose: (listener) => closeListeners.push(listener),
  send: (message) => socket.send(JSON.stringify(message)),
  /** The server's clock now, in milliseconds. */
  serverNowMs: () => performance.now() + aheadMs,
}

/** Where this page's sockets lead. */
export function socketUrl(query = '') {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return `${scheme}://${location.host}/${query}`
}

socket.addEventListener('message', ({ data }) => {
  const message = JSON.parse(data)
  if (message.type === 'you') {
    feed.fd = message.fd
    return
  }
  aheadMs = message.nowMs - performance.now()
  for (const listener of listeners) listener(message)
})

socket.addEventListener('close', ({ code }) => {
  for (const listener of closeListeners) listener(code)
})
