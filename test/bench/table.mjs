/*
 * What the bench prints at the end, and whether a target is met. Text only; measures nothing.
 */
import os from 'node:os'
import { cores } from './processes.mjs'

/** The machine, in the words a reader needs to compare two reports. */
export function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    pinned: cores ? `server on core ${cores.server}, load on core ${cores.load}` : 'not pinned',
  }
}

const fixed = (value) => value.toFixed(Math.abs(value) < 0.2 ? 3 : 2)
const interval = ({ value, low, high }) => `${fixed(value)} [${fixed(low)}, ${fixed(high)}]`

export const isMet = ({ most, value }) => most === undefined || value <= most

function verdict(target, trusted) {
  if (target.most === undefined) return ''
  const word = isMet(target) ? 'met' : 'MISSED'
  return `${target.level} <= ${target.most}  ${word}${trusted ? '' : ' (noisy)'}`
}

/** A target in words: `ours / bare`, `(uv - ours) / bare`. */
export const nameOf = ({ of, less, over }) =>
  `${less === undefined ? of : `(${of} - ${less})`} / ${over}`

const microseconds = (us) => us.toFixed(us < 1 ? 3 : 2)

function printRow(row) {
  const medians = row.medians.map(({ key, us }) => `${key} ${microseconds(us.value)} us`)
  console.log(`\n${row.name}: ${row.title}`)
  console.log(`  CPU per ${`${row.unit}:`.padEnd(9)} ${medians.join(', ')}`)
  const busy = row.medians.map(({ key, busy }) => `${key} ${Math.round(busy * 100)} %`)
  console.log(`  ${`${row.measured} busy:`.padEnd(17)} ${busy.join(', ')}`)
  if (row.same) {
    const again = row.attempts > 1 ? `, after ${row.attempts} attempts` : ''
    const warning = row.trusted ? '' : '  NOISY: differs from itself by more than 5 %'
    console.log(`  ${row.same.key} / itself:   ${interval(row.same)}${again}${warning}`)
  }
  for (const target of row.ratios) {
    const name = nameOf(target).padEnd(24)
    const figures = interval(target).padEnd(22)
    console.log(`  ${name} ${figures} ${verdict(target, row.trusted)}`.trimEnd())
  }
}

/** The targets of one server, each as bytes. */
export const memoryTargets = ({ targets, medians }, key) =>
  targets
    .filter(({ keys }) => keys.includes(key))
    .map((target) => ({ ...target, most: target.most * bytesOf(medians, target.over) }))

const bytesOf = (medians, key) =>
  key === undefined ? 1 : Math.round(medians.find((median) => median.key === key).total.value)

function printMemory(memory) {
  console.log(`\n${memory.name}: ${memory.title}, from ${memory.idle.join(' to ')} connections`)
  for (const { key, total, native } of memory.medians) {
    const [bytes, low, high] = [total.value, total.low, total.high].map(Math.round)
    const apart = `${Math.round(native.value)} of them in malloc's segment`
    const words = memoryTargets(memory, key).map(
      ({ level, most }) => `${level} <= ${most}  ${bytes <= most ? 'met' : 'MISSED'}`,
    )
    const figures = `${bytes} bytes [${low}, ${high}], ${apart}`.padEnd(60)
    console.log(`  ${key.padEnd(10)} ${figures} ${words.join(', ')}`.trimEnd())
  }
}

/** Prints the report of `run.mjs`: the same that --json writes. */
export function printReport(report) {
  const { cpu, cores: count, kernel, node, pinned } = report.machine
  console.log(`\n${cpu}, ${count} cores, ${kernel}, node ${node}; ${pinned}`)
  if (report.notes.length > 0) console.log(report.notes.join('\n'))
  const { rounds } = report.timing
  console.log(`Medians of ${rounds} interleaved rounds; in brackets the 90 % bootstrap interval.`)
  report.rows.forEach(printRow)
  if (report.memory) printMemory(report.memory)
}
