/*
 * The report as a picture: one small panel per row, a bar per server with its 90 % interval, and a
 * line where a Must or an Aim ends. Each panel has its own scale, beginning at 0. Text in, SVG out;
 * measures nothing.
 */
import { memoryTargets } from './table.mjs'

const font = "font-family='system-ui, sans-serif'"
const columns = 2
const panel = { width: 560, top: 46, bar: 22, label: 118, plot: 330, gap: 28 }
const margin = 28
const headHeight = 96

const colours = { ours: '#1b66c9', uv: '#5aa0ef', ws: '#c8722a', other: '#8a8f98' }
const colourOf = (key) =>
  colours[['ours', 'uv', 'ws'].find((name) => key.startsWith(name)) ?? 'other']
const levelColours = { Must: '#b3261e', Aim: '#2e7d32' }

const escape = (text) => text.replace(/[&<>'"]/g, (character) => `&#${character.codePointAt(0)};`)

function text(x, y, words, { size = 12, anchor = 'start', fill = '#1f2328', weight = 400 } = {}) {
  const style = `font-size='${size}' text-anchor='${anchor}' fill='${fill}' font-weight='${weight}'`
  return `<text x='${x}' y='${y}' ${style} ${font}>${escape(words)}</text>`
}

const rect = (x, y, width, height, fill) =>
  `<rect x='${x}' y='${y}' width='${width.toFixed(1)}' height='${height}' fill='${fill}'/>`

const line = (x1, y1, x2, y2, colour, width = 1.5, dash = '') =>
  `<line x1='${x1.toFixed(1)}' y1='${y1}' x2='${x2.toFixed(1)}' y2='${y2}' stroke='${colour}' ` +
  `stroke-width='${width}'${dash && ` stroke-dasharray='${dash}'`}/>`

const short = (value) => value.toFixed(value < 1 ? 3 : value < 100 ? 2 : 0)

/** What a panel shows: `{ title, unit, bars: [{ key, value, low, high, limits }] }`. */
function panelOfRow(row) {
  const medianOf = (key) => row.medians.find((entry) => entry.key === key).us.value
  const bars = row.medians.map(({ key, us }) => ({
    key,
    ...us,
    limits: row.ratios
      .filter(({ of, most }) => of === key && most !== undefined)
      .map(({ level, less, over, most }) => ({
        level,
        at: most * medianOf(over) + (less === undefined ? 0 : medianOf(less)),
      })),
  }))
  const noise = row.trusted ? '' : ' (noisy)'
  return { title: row.title + noise, unit: `us of CPU per ${row.unit}`, bars }
}

function panelOfMemory(memory) {
  const bars = memory.medians.map(({ key, total }) => ({
    key,
    ...total,
    limits: memoryTargets(memory, key).map(({ level, most }) => ({ level, at: most })),
  }))
  return { title: 'memory of an idle connection', unit: 'bytes of resident memory', bars }
}

const heightOf = ({ bars }) => panel.top + bars.length * (panel.bar + 6) + panel.gap

function drawBar({ key, value, low, high, limits }, y, scale) {
  const [left, middle] = [panel.label, y + panel.bar / 2]
  const x = (at) => left + at * scale
  const parts = [
    text(left - 8, middle + 4, key, { anchor: 'end' }),
    rect(left, y, Math.max(1, value * scale), panel.bar, colourOf(key)),
    line(x(low), middle, x(high), middle, '#1f2328'),
    line(x(low), middle - 4, x(low), middle + 4, '#1f2328'),
    line(x(high), middle - 4, x(high), middle + 4, '#1f2328'),
  ]
  for (const { level, at } of limits) {
    parts.push(line(x(at), y - 3, x(at), y + panel.bar + 3, levelColours[level], 2, '3 2'))
  }
  const end = Math.max(high, value, ...limits.map(({ at }) => at))
  parts.push(text(x(end) + 8, middle + 4, short(value), { weight: 600 }))
  return parts.join('\n')
}

function drawPanel({ title, unit, bars }, left, top) {
  const widest = Math.max(...bars.flatMap(({ high, limits }) => [high, ...limits.map((l) => l.at)]))
  const scale = panel.plot / widest
  const drawn = bars.map((bar, i) => drawBar(bar, panel.top + i * (panel.bar + 6), scale))
  return [
    `<g transform='translate(${left} ${top})'>`,
    text(0, 16, title, { size: 14, weight: 600 }),
    text(0, 34, unit, { fill: '#57606a' }),
    ...drawn,
    '</g>',
  ].join('\n')
}

/** @param report what `run.mjs` measured @returns a whole SVG document */
export function drawChart({ machine, timing, rows, memory }) {
  const panels = [...rows.map(panelOfRow), ...(memory ? [panelOfMemory(memory)] : [])]
  const drawn = []
  let top = headHeight
  for (let i = 0; i < panels.length; i += columns) {
    const abreast = panels.slice(i, i + columns)
    abreast.forEach((one, column) => drawn.push(drawPanel(one, margin + column * panel.width, top)))
    top += Math.max(...abreast.map(heightOf))
  }
  const width = margin * 2 + panel.width * columns
  const about = `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, node ${machine.node}`
  const how = `medians of ${timing.rounds} rounds with their 90 % interval; less is better`
  return [
    `<svg xmlns='http://www.w3.org/2000/svg' width='${width}' height='${top}' ` +
      `viewBox='0 0 ${width} ${top}'>`,
    rect(0, 0, width, top, '#ffffff'),
    text(margin, 34, 'extpoll: what a server spends', { size: 20, weight: 600 }),
    text(margin, 56, `${about}; ${how}`, { fill: '#57606a' }),
    text(margin, 76, 'dashed lines: the most that is allowed (Must)', { fill: levelColours.Must }),
    text(margin + 300, 76, 'and what is wished for (Aim)', { fill: levelColours.Aim }),
    ...drawn,
    '</svg>',
    '',
  ].join('\n')
}
