/**
 * The poll set at a glance: a tile for each descriptor, lit by what it waits for.
 *
 * Few tiles are large and say their number; many are small, so that a thousand fit. A tile is
 * touched only where its descriptor changed.
 */
import { byId, element, setText } from './element.js'

const MAX_LARGE_TILES = 36
const LEAVING_MS = 450
/** How often the summary may change: for who reads it, not for who sees it. */
const SUMMARY_MS = 2000

const map = byId('map')
const tiles = new Map()
let summaryTimer
let all = []

const MASKS = [
  { mask: 'POLLIN', className: 'in', name: 'wait to read' },
  { mask: 'POLLIN|POLLOUT', className: 'both', name: 'wait to write as well' },
  { mask: 'POLLOUT', className: 'out', name: 'wait to write alone' },
  { mask: '0', className: 'none', name: 'paused: wait for nothing' },
]

/** Of each mask its place in the legend; those that no descriptor has may be left out. */
const legend = MASKS.map(({ name, className }) => {
  const count = element('b', '', '0')
  const entry = element('li', '', element('span', `key ${className}`), count, ` ${name}`)
  byId('legend').append(entry)
  return { entry, count, optional: className === 'out' }
})

for (const [className, name] of [
  ['own', 'of the program itself'],
  ['mine', 'of this tab'],
])
  byId('legend').append(element('li', '', element('span', `key ${className}`), name))

export function drawMap(rows) {
  const fresh = tiles.size > 0
  all = rows
  map.classList.toggle('small', rows.length > MAX_LARGE_TILES)
  const keys = new Set(rows.map(({ key }) => key))
  for (const [key, tile] of tiles) if (!keys.has(key)) leave(key, tile)
  let before = null
  for (const row of rows) {
    const known = tiles.get(row.key)
    const tile = known ?? newTile(row)
    show(tile, row, fresh)
    if (tile.element.parentNode !== map || (before !== null && !follows(tile.element, before)))
      map.insertBefore(tile.element, before === null ? map.firstChild : before.nextSibling)
    before = tile.element
  }
  for (const [at, { entry, count, optional }] of legend.entries()) {
    const number = countOf(MASKS[at].mask)
    setText(count, String(number))
    entry.hidden = optional && number === 0
  }
  summaryTimer ??= setTimeout(summarize, map.dataset.known === undefined ? 0 : SUMMARY_MS)
}

/** Tiles that are leaving stand between the others. */
function follows(tile, before) {
  let next = before.nextSibling
  while (next?.classList.contains('leaving')) next = next.nextSibling
  return next === tile
}

function newTile({ key, fd }) {
  const what = element('span', 'what')
  const made = element('span', 'tile', element('b', '', fd), element('span', 'masks'), what)
  const tile = { element: made, what, shown: '', text: '' }
  tiles.set(key, tile)
  return tile
}

function show(tile, { fd, events, what, own, mine }, fresh) {
  const { className } = MASKS.find(({ mask }) => mask === events)
  const shown = `tile ${className}${own ? ' own' : ''}${mine ? ' mine' : ''}`
  if (tile.shown === shown && tile.text === what) return
  tile.shown = shown
  tile.text = what
  tile.element.className = shown
  tile.element.title = `fd ${fd}, ${events}, ${what}`
  tile.what.textContent = what
  if (!fresh) return
  // Taken away and put back, so that the animation begins anew.
  void tile.element.offsetWidth
  tile.element.classList.add('fresh')
}

function leave(key, { element: tile }) {
  tiles.delete(key)
  tile.classList.add('leaving')
  setTimeout(() => tile.remove(), LEAVING_MS)
}

function countOf(events) {
  return all.filter((row) => row.events === events).length
}

function summarize() {
  summaryTimer = undefined
  map.dataset.known = ''
  const parts = MASKS.map(({ mask }) => [mask === '0' ? 'nothing' : mask, countOf(mask)])
  const counted = parts.filter(([, count]) => count > 0)
  const summary = counted.map(([mask, count]) => `${count} waiting for ${mask}`).join(', ')
  map.setAttribute('aria-label', `${all.length} descriptors: ${summary}`)
}
