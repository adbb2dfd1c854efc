/**
 * The page's view of the poll set: a table of what is in it, a list of what was announced.
 *
 * Speaks the subprotocol `pollset`: each message is the whole set, and the changes since the last.
 */

const MAX_CHANGES = 200
const FRESH_MS = 1500

const rows = document.getElementById('rows')
const changes = document.getElementById('changes')
const state = document.getElementById('set-state')
/** fd and gen -> the row's element, its age's cell, and when it began by this page's clock. */
const shown = new Map()
let latest

const socket = new WebSocket(`ws://${location.host}/`, 'pollset')

socket.addEventListener('message', ({ data }) => {
  const message = JSON.parse(data)
  if (message.type !== 'pollset') return
  latest = { ...message, receivedMs: performance.now() }
  state.textContent = `${message.rows.length} descriptors`
  showRows()
  showChanges(message)
})

// The chat learned its fd, perhaps after the set was shown.
document.addEventListener('chat-fd', () => {
  if (latest !== undefined) showRows()
})

socket.addEventListener('close', ({ code }) => {
  state.textContent = `as it was when the connection ended (${code})`
  clearInterval(ticking)
})

const ticking = setInterval(showAges, 1000)

function showRows() {
  const { rows: polled, you, receivedMs } = latest
  const keys = new Set()
  const mine = new Set([you, Number(document.body.dataset.chatFd)])
  for (const { fd, events, gen, ageMs, what } of polled) {
    const key = `${fd}.${gen ?? ''}`
    keys.add(key)
    const row = shown.get(key) ?? newRow(key, fd, gen)
    row.sinceMs = receivedMs - ageMs
    set(row, row.events, events)
    set(row, row.what, mine.has(fd) ? `${what} (this tab)` : what)
    row.element.classList.toggle('mine', mine.has(fd))
  }
  for (const [key, { element }] of shown) {
    if (keys.has(key)) continue
    element.remove()
    shown.delete(key)
  }
  showAges()
}

function newRow(key, fd, gen) {
  const element = document.createElement('tr')
  const row = {
    element,
    events: cell('mask'),
    age: cell('number'),
    what: cell(''),
    sinceMs: 0,
    timer: undefined,
  }
  const fdCell = cell('number')
  const genCell = cell('number')
  fdCell.textContent = fd
  genCell.textContent = gen ?? '–'
  element.append(fdCell, row.events, genCell, row.age, row.what)
  rows.append(element)
  shown.set(key, row)
  return row
}

/** Marks the row for a moment where that is news. */
function set(row, element, content) {
  if (element.textContent === content) return
  element.textContent = content
  row.element.classList.add('fresh')
  clearTimeout(row.timer)
  row.timer = setTimeout(() => row.element.classList.remove('fresh'), FRESH_MS)
}

function showAges() {
  for (const { age, sinceMs } of shown.values()) {
    age.textContent = ageOf((performance.now() - sinceMs) / 1000)
  }
}

function ageOf(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`
}

function showChanges({ changes: news, missed }) {
  if (missed > 0) prepend([part('what', `${missed} earlier ones`)])
  for (const { op, fd, gen, bits, what } of news) {
    const which = gen === null ? `fd ${fd}` : `fd ${fd} gen ${gen}`
    prepend([part(op, op.padEnd(5)), ` ${which} ${bits} `, part('what', what)])
  }
  while (changes.children.length > MAX_CHANGES) changes.lastElementChild.remove()
}

function prepend(parts) {
  const item = document.createElement('li')
  item.append(...parts)
  changes.prepend(item)
}

function part(className, content) {
  const element = document.createElement('span')
  element.className = className
  element.textContent = content
  return element
}

function cell(className) {
  const element = document.createElement('td')
  if (className !== '') element.className = className
  return element
}
