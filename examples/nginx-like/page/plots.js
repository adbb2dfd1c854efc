/**
 * Two plots of the last minute, drawn by hand: messages a second, and the latency of `serviceFd`.
 *
 * The server tells of seconds in which something happened; the others are empty. So the plots move
 * on with this page's clock, and nothing has to be sent while nothing happens.
 */
import { byId, microsText, setText } from './element.js'
import { feed } from './feed.js'

const SECONDS = 60
/** A second that is over takes until the next message to get here. */
const LATE_SECONDS = 2
const HEIGHT = 100
const MARK_HEIGHT = 2.5
const SUMMARY_SECONDS = 2
const EMPTY = { in: 0, out: 0, calls: 0, p50: 0, p99: 0, max: 0 }

const known = new Map()
let drawn = 0

const messages = plot('messages-plot', ['out', 'in'])
const latency = plot('latency-plot', ['band', 'worst'])

feed.onNews(({ seconds }) => {
  for (const second of seconds) known.set(second.at, second)
})
feed.onClose(() => clearInterval(ticking))
const ticking = setInterval(draw, 1000)
draw()

function draw() {
  const last = Math.floor(feed.serverNowMs() / 1000) - LATE_SECONDS
  const first = last - SECONDS + 1
  for (const at of known.keys()) if (at < first) known.delete(at)
  const minute = Array.from({ length: SECONDS }, (_, index) => known.get(first + index) ?? EMPTY)
  const withSummary = drawn++ % SUMMARY_SECONDS === 0
  drawMessages(minute, withSummary)
  drawLatency(minute, withSummary)
}

function drawMessages(minute, withSummary) {
  const most = niceCeiling(Math.max(4, ...minute.map(({ out, in: received }) => out + received)))
  const heightOf = (count) => (count / most) * HEIGHT
  const bars = minute.map(({ out }) => [0, heightOf(out)])
  messages.paths.out.setAttribute('d', columns(bars))
  const received = minute.map(({ in: count, out }) => [heightOf(out), heightOf(out + count)])
  messages.paths.in.setAttribute('d', columns(received))
  const now = minute.at(-1)
  setText(byId('messages-now'), now.out.toLocaleString('en'))
  setText(byId('messages-in'), now.in.toLocaleString('en'))
  setText(byId('messages-most'), most.toLocaleString('en'))
  if (!withSummary) return
  const written = sum(minute, 'out')
  const summary =
    written === 0
      ? 'No message in the last minute'
      : `In the last minute ${written} messages written and ${sum(minute, 'in')} received`
  messages.svg.setAttribute('aria-label', summary)
}

/** By octaves: what is quick and what is slow are a thousand times apart. */
function drawLatency(minute, withSummary) {
  const busy = minute.filter(({ calls }) => calls > 0)
  const least = 2 ** Math.floor(Math.log2(Math.min(8, ...busy.map(({ p50 }) => p50))))
  const most = 2 ** Math.ceil(Math.log2(Math.max(512, ...busy.map(({ max }) => max))))
  const span = Math.log2(most / least)
  const heightOf = (micros) => (Math.log2(Math.max(least, micros) / least) / span) * HEIGHT
  const boxes = minute.map(({ calls, p50, p99 }) =>
    calls === 0 ? [0, 0] : [heightOf(p50), Math.max(heightOf(p99), heightOf(p50) + 2)],
  )
  latency.paths.band.setAttribute('d', columns(boxes))
  const worst = minute.map(({ calls, max }) => {
    const top = Math.max(MARK_HEIGHT, heightOf(max))
    return calls === 0 ? [0, 0] : [top - MARK_HEIGHT, top]
  })
  latency.paths.worst.setAttribute('d', columns(worst))
  const p99 = busy.length === 0 ? '–' : microsText(busy.at(-1).p99)
  const p50 = busy.length === 0 ? '–' : microsText(busy.at(-1).p50)
  setText(byId('latency-now'), p99)
  setText(byId('latency-median'), p50)
  setText(byId('latency-most'), microsText(most))
  setText(byId('latency-least'), microsText(least))
  if (!withSummary) return
  const slowest = Math.max(0, ...busy.map(({ max }) => max))
  const summary =
    busy.length === 0
      ? 'No call in the last minute'
      : `${sum(minute, 'calls')} calls in the last minute; in the latest busy second ` +
        `median ${p50}, 99th percentile ${p99}; slowest of the minute ${microsText(slowest)}`
  latency.svg.setAttribute('aria-label', summary)
}

/** One path of a column for each second, [from, to] from the ground up. */
function columns(extents) {
  let path = ''
  for (const [at, [from, to]] of extents.entries()) {
    if (to <= from) continue
    const bottom = (HEIGHT - from).toFixed(1)
    const top = (HEIGHT - Math.min(to, HEIGHT)).toFixed(1)
    path += `M${at + 0.1} ${bottom}V${top}h.8V${bottom}z`
  }
  return path
}

/** 1, 2 or 5, and noughts. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value)
  return step * power
}

function sum(minute, field) {
  return minute.reduce((total, second) => total + second[field], 0)
}

function plot(id, names) {
  const svg = byId(id)
  svg.setAttribute('viewBox', `0 0 ${SECONDS} ${HEIGHT}`)
  svg.setAttribute('preserveAspectRatio', 'none')
  const paths = {}
  for (const name of names) {
    paths[name] = document.createElementNS(svg.namespaceURI, 'path')
    paths[name].setAttribute('class', name)
    svg.append(paths[name])
  }
  return { svg, paths }
}
