/**
 * The poll set as this page knows it: keeps the rows, and has the map and the table drawn.
 *
 * However many changes come, they are drawn once a frame.
 */
import { chat } from './chat.js'
import { byId, onNextFrame, setText } from './element.js'
import { drawMap } from './fd-map.js'
import { drawTable, showAges } from './fd-table.js'
import { feed } from './feed.js'

/** So long with nothing to do, and the loop is said to be asleep. */
const ASLEEP_MS = 1000

/** `fd.gen` -> what the server told of it, and `own` and `mine` for those who draw. */
const rows = new Map()
const pulse = byId('pulse')
/** When something was last ready, by the server's clock. */
let busyMs = 0
let over = false

const draw = onNextFrame(() => {
  const all = [...rows.values()].sort(inOrder)
  drawMap(all)
  drawTable(all)
  const number = all.length === 1 ? '1 descriptor' : `${all.length} descriptors`
  if (!over) setText(byId('set-state'), number)
})

feed.onNews(({ whole, gone, rows: changed, changes, seconds, nowMs }) => {
  if (whole) rows.clear()
  for (const row of gone) rows.delete(keyOf(row))
  for (const row of changed) rows.set(keyOf(row), { ...row, key: keyOf(row), own: isOwn(row) })
  if (whole || gone.length + changed.length > 0) {
    markMine()
    draw()
  }
  // A second is told of when it is over.
  const second = seconds.at(-1)
  if (second !== undefined) busyMs = Math.max(busyMs, (second.at + 1) * 1000)
  if (changes.length > 0) busyMs = nowMs
  showPulse()
})

feed.onClose((code) => {
  over = true
  clearInterval(ticking)
  setText(byId('set-state'), `as it was when the connection ended (${code})`)
  setText(byId('pulse-text'), 'gone')
  pulse.classList.remove('awake')
})

// The chat learned its fd, perhaps after the set was shown.
chat.onMe(() => {
  markMine()
  draw()
})

const ticking = setInterval(() => {
  showAges()
  showPulse()
}, 1000)

function keyOf({ fd, gen }) {
  return `${fd}.${gen ?? ''}`
}

/** Of the program and not of a peer. */
function isOwn({ gen, what }) {
  return gen === null || what === 'listener'
}

function markMine() {
  for (const row of rows.values()) row.mine = row.fd === feed.fd || row.fd === chat.fd
}

/** This tab's first, then those of the program, then the others; by number. */
function inOrder(one, other) {
  return rankOf(one) - rankOf(other) || one.fd - other.fd
}

function rankOf({ mine, own }) {
  if (mine) return 0
  return own ? 1 : 2
}

function showPulse() {
  if (busyMs === 0) return
  const quietMs = feed.serverNowMs() - busyMs
  const asleep = quietMs > ASLEEP_MS
  pulse.classList.toggle('awake', !asleep)
  const seconds = Math.floor(quietMs / 1000)
  const text = asleep ? `asleep: nothing was ready for ${seconds} s` : 'awake'
  setText(byId('pulse-text'), text)
}
