/**
 * The poll set as a table. Only the rows in view exist, so a thousand cost what twenty do.
 *
 * Rows are of one height; what is above and below is one tall empty row each.
 */
import { byId, element, setText } from './element.js'
import { feed } from './feed.js'

/** As style sheet `panels.css` has it. */
const ROW_PX = 30
const ROWS_BESIDE = 4

const region = byId('table-region')
const body = byId('rows')
const above = spacer()
const below = spacer()
const pool = []
let all = []

body.append(above, below)
region.addEventListener('scroll', render, { passive: true })
new ResizeObserver(render).observe(region)

export function drawTable(rows) {
  all = rows
  byId('table').setAttribute('aria-rowcount', String(rows.length + 1))
  render()
}

/** Ages go on, though nothing happens. */
export function showAges() {
  const nowMs = feed.serverNowMs()
  for (const { row, age } of pool) if (row !== undefined) setText(age, ageOf(nowMs - row.sinceMs))
}

function render() {
  const inView = Math.ceil(region.clientHeight / ROW_PX) + 2 * ROWS_BESIDE
  const most = Math.max(0, all.length - inView)
  const first = Math.min(most, Math.max(0, Math.floor(region.scrollTop / ROW_PX) - ROWS_BESIDE))
  const shown = all.slice(first, first + inView)
  while (pool.length < shown.length) pool.push(newRow())
  for (const [at, line] of pool.entries()) fill(line, shown[at], first + at)
  above.firstChild.style.height = `${first * ROW_PX}px`
  below.firstChild.style.height = `${(all.length - first - shown.length) * ROW_PX}px`
  showAges()
}

function fill(line, row, at) {
  line.row = row
  line.element.hidden = row === undefined
  if (row === undefined) return
  const { fd, gen, events, what, mine } = row
  line.element.className = mine ? 'mine' : ''
  line.element.setAttribute('aria-rowindex', String(at + 2))
  setText(line.fd, String(fd))
  setText(line.gen, gen === null ? '–' : String(gen))
  setText(line.events, events === '0' ? 'nothing' : events)
  line.events.className = `mask ${events === 'POLLIN' ? 'in' : events === '0' ? 'none' : 'out'}`
  setText(line.what, mine ? `${what} (this tab)` : what)
}

function newRow() {
  const cells = ['number', 'mask', 'number gen', 'number', ''].map((name) => element('td', name))
  const [fd, events, gen, age, what] = cells
  const line = { element: element('tr', '', ...cells), fd, events, gen, age, what, row: undefined }
  below.before(line.element)
  return line
}

function spacer() {
  const row = element('tr', 'spacer', element('td', ''))
  row.setAttribute('aria-hidden', 'true')
  return row
}

function ageOf(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`
}
