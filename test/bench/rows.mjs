/*
 * The table of the bench: workloads, who serves them in which order, and the targets. Data only.
 *
 * `series` is the order within a round, as [key, server]; the first and last are the same thing
 * measured twice, and their ratio tells how far the figures of this run can be trusted.
 * A ratio divides one key's median by another's; a key that occurs twice counts twice.
 */
const echoSeries = [
  { key: 'bare', server: 'bare' },
  { key: 'ours', server: 'ours' },
  { key: 'ws', server: 'ws' },
  { key: 'bare', server: 'bare' },
]

const echoRow = (name, load, level, overBare, overWs) => ({
  name,
  title: describe(load),
  load,
  series: echoSeries,
  ratios: [
    { of: 'ours', over: 'bare', level, most: overBare },
    { of: 'ours', over: 'ws', level, most: overWs },
    { of: 'ws', over: 'bare' },
  ],
})

/** The same with `payload: 'copy'`, the default of handlers: printed beside, same targets. */
const copyRow = (name, load, level, overBare, overWs) => ({
  name,
  title: `${describe(load)}, payload copied`,
  load,
  series: echoSeries.map((one) => (one.key === 'ours' ? { ...one, server: 'ours copy' } : one)),
  ratios: echoRow(name, load, level, overBare, overWs).ratios,
})

const yardstickRow = (name, load) => ({
  name,
  title: `${describe(load)}: is the yardstick straight?`,
  load,
  series: [
    { key: 'raw', server: 'raw' },
    { key: 'bare', server: 'bare' },
    { key: 'raw', server: 'raw' },
  ],
  ratios: [{ of: 'bare', over: 'raw' }],
})

function describe(load) {
  const size = load.bytes < 1024 ? `${load.bytes} B` : `${load.bytes / 1024} KiB`
  const kind = load.text ? 'text' : 'binary'
  return `${load.connections} connections, ${size} ${kind}, ${load['in-flight']} in flight`
}

const workload = (bytes, inFlight, text = false) => ({
  connections: 100,
  bytes,
  'in-flight': inFlight,
  text,
})

export const rows = [
  yardstickRow('raw-20x1', workload(20, 1)),
  yardstickRow('raw-20x16', workload(20, 16)),
  echoRow('20x1', workload(20, 1), 'Must', 1.15, 0.6),
  echoRow('20x16', workload(20, 16), 'Must', 1.7, 0.1),
  echoRow('1kx1', workload(1024, 1), 'Aim', 1.2, 0.5),
  echoRow('16kx1', workload(16384, 1), 'Aim', 1.2, 0.5),
  echoRow('64kx1', workload(65536, 1), 'Aim', 1.2, 0.45),
  // Text has the same targets, although the bare echo does not look whether it is UTF-8.
  echoRow('20x1-text', workload(20, 1, true), 'Must', 1.15, 0.6),
  echoRow('20x16-text', workload(20, 16, true), 'Must', 1.7, 0.1),
  echoRow('1kx1-text', workload(1024, 1, true), 'Aim', 1.2, 0.5),
  echoRow('64kx1-text', workload(65536, 1, true), 'Aim', 1.2, 0.45),
  copyRow('20x1-copy', workload(20, 1), 'Must', 1.15, 0.6),
  copyRow('20x16-copy', workload(20, 16), 'Must', 1.7, 0.1),
  {
    name: 'idle-5000',
    title: `${describe(workload(20, 1))}, beside 5,000 idle ones`,
    load: workload(20, 1),
    series: [
      { key: 'ours', server: 'ours' },
      { key: 'ours beside idle', server: 'ours', idle: 5000 },
      { key: 'ours', server: 'ours' },
    ],
    ratios: [{ of: 'ours beside idle', over: 'ours', level: 'Aim', most: 1.05 }],
  },
]

/** Process memory per idle connection: the slope between two counts, free of the start-up. */
export const memoryRow = {
  name: 'memory',
  title: 'process memory per idle connection, in bytes',
  servers: ['bare', 'ours', 'ws'],
  idle: [4000, 16000],
  rounds: 3,
  level: 'Aim',
  mostBytes: 1024,
}
