/*
 * The table of the bench: workloads, who serves them in which order, and the targets. Data only.
 *
 * `series` is the order within a round; the first and last are the same thing measured twice, and
 * their ratio tells how far the figures of this run can be trusted. `server` is a row of
 * processes.mjs, `key` its name here.
 * A ratio divides one key's median by another's, after taking a third's from it where `less` says
 * so; a key that occurs twice counts twice.
 */
const series = (...servers) =>
  servers.map((server) => ({ key: server.replace(/ broadcast$/, ''), server }))

/** What the turn of Node's own loop may cost beside our own, in units of the bare echo. */
const uvCosts = { of: 'uv', less: 'ours', over: 'bare', level: 'Must', most: 0.1 }

const targets = (level, overBare, overWs) => [
  { of: 'ours', over: 'bare', level, most: overBare },
  { of: 'ours', over: 'ws', level, most: overWs },
  { of: 'ws', over: 'bare' },
]

const echoRow = (name, load, level, overBare, overWs) => ({
  name,
  title: describe(load),
  unit: 'message',
  load,
  series: series('bare', 'ours', 'uv', 'ws', 'bare'),
  ratios: [...targets(level, overBare, overWs), uvCosts],
})

/** Text has the same targets, although the bare echo does not look whether it is UTF-8. */
const textRow = (name, load, level, overBare, overWs) => ({
  ...echoRow(name, { ...load, text: true }, level, overBare, overWs),
  series: series('bare', 'ours', 'ws', 'bare'),
})

/** The same with `payload: 'copy'`, the default of handlers: printed beside, same targets. */
const copyRow = (name, load, level, overBare, overWs) => ({
  ...echoRow(name, load, level, overBare, overWs),
  title: `${describe(load)}, payload copied`,
  series: series('bare', 'ours copy', 'ws', 'bare').map((entry) => ({
    ...entry,
    key: entry.key.replace(' copy', ''),
  })),
})

const upgradeRow = (name, how) => ({
  name,
  title: `accept and upgrade, ${how}`,
  unit: 'connection',
  load: { kind: name, connections: 1000, 'in-flight': 100 },
  series: series('bare', 'ours', 'uv', 'ws', 'bare'),
  ratios: [
    { of: 'ours', over: 'ws', level: 'Must', most: 0.5 },
    { of: 'uv', over: 'ws', level: 'Must', most: 0.5 },
    { of: 'ours', over: 'bare' },
    { of: 'ws', over: 'bare' },
  ],
})

/** One message of one connection goes to all of them; the unit is one that arrived. */
const broadcastRow = (name, bytes, connections) => ({
  name,
  title: `broadcast of ${describeBytes(bytes)} to ${connections.toLocaleString('en')} connections`,
  unit: 'receiver',
  load: { kind: 'broadcast', connections, bytes, 'in-flight': 1 },
  series: series(
    'bare broadcast',
    'ours broadcast',
    'ours prepared',
    'ws broadcast',
    'bare broadcast',
  ),
  ratios: [
    { of: 'ours', over: 'bare', level: 'Aim', most: 1.3 },
    { of: 'ours', over: 'ws', level: 'Must', most: 0.7 },
    // Beside it: one callback that writes to all has their bytes in one call, whatever its budget.
    { of: 'ours prepared', over: 'bare' },
    { of: 'ws', over: 'bare' },
  ],
})

const yardstickRow = (name, load) => ({
  name,
  title: `${describe(load)}: is the yardstick straight?`,
  unit: 'message',
  load,
  series: series('raw', 'bare', 'raw'),
  ratios: [{ of: 'bare', over: 'raw' }],
})

/** Inside Node: streams and sockets handed over, beside a bare net.Socket echo and `ws`. */
const insideRow = (name, load, overWs, overNet) => ({
  name,
  title: `${describe(load)}, inside Node`,
  unit: 'message',
  load,
  series: series('net', 'streams', 'handover', 'uv', 'ws', 'net'),
  ratios: [
    { of: 'streams', over: 'ws', level: 'Must', most: overWs },
    { of: 'streams', over: 'net', ...(overNet ? { level: 'Must', most: overNet } : {}) },
    { of: 'handover', over: 'uv', level: 'Must', most: 1.1 },
    { of: 'handover', over: 'ws' },
  ],
})

function describeBytes(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`
}

function describe(load) {
  const size = describeBytes(load.bytes)
  const kind = load.text ? 'text' : 'binary'
  return `${load.connections} connections, ${size} ${kind}, ${load['in-flight']} in flight`
}

const workload = (bytes, inFlight) => ({ connections: 100, bytes, 'in-flight': inFlight })

export const rows = [
  yardstickRow('raw-20x1', workload(20, 1)),
  yardstickRow('raw-20x16', workload(20, 16)),
  echoRow('20x1', workload(20, 1), 'Must', 1.15, 0.6),
  echoRow('20x16', workload(20, 16), 'Must', 1.7, 0.1),
  echoRow('1kx1', workload(1024, 1), 'Aim', 1.2, 0.5),
  echoRow('16kx1', workload(16384, 1), 'Aim', 1.2, 0.5),
  echoRow('64kx1', workload(65536, 1), 'Aim', 1.2, 0.45),
  textRow('20x1-text', workload(20, 1), 'Must', 1.15, 0.6),
  textRow('20x16-text', workload(20, 16), 'Must', 1.7, 0.1),
  textRow('1kx1-text', workload(1024, 1), 'Aim', 1.2, 0.5),
  textRow('64kx1-text', workload(65536, 1), 'Aim', 1.2, 0.45),
  copyRow('20x1-copy', workload(20, 1), 'Must', 1.15, 0.6),
  copyRow('20x16-copy', workload(20, 16), 'Must', 1.7, 0.1),
  {
    name: 'idle-5000',
    title: `${describe(workload(20, 1))}, beside 5,000 idle ones`,
    load: workload(20, 1),
    unit: 'message',
    series: [
      { key: 'ours', server: 'ours' },
      { key: 'ours beside idle', server: 'ours', idle: 5000 },
      { key: 'uv', server: 'uv' },
      { key: 'uv beside idle', server: 'uv', idle: 5000 },
      { key: 'ours', server: 'ours' },
    ],
    ratios: [
      { of: 'ours beside idle', over: 'ours', level: 'Aim', most: 1.05 },
      { of: 'uv beside idle', over: 'uv', level: 'Aim', most: 1.05 },
    ],
  },
  insideRow('inside-20x1', workload(20, 1), 0.97, 1.1),
  insideRow('inside-20x16', workload(20, 16), 0.15),
  broadcastRow('broadcast-20x1000', 20, 1000),
  broadcastRow('broadcast-20x5000', 20, 5000),
  broadcastRow('broadcast-1kx1000', 1024, 1000),
  broadcastRow('broadcast-1kx5000', 1024, 5000),
  upgradeRow('upgrade', '100 waiting at once'),
  upgradeRow('upgrade-stream', 'always 100 under way'),
]

/** Process memory per idle connection: the slope between two counts, free of the start-up. */
export const memoryRow = {
  name: 'memory',
  title: 'process memory per idle connection, in bytes',
  // The command keeps V8's young generation small: so does `ws small`, and `ours plain` does not.
  servers: ['bare', 'ours', 'uv', 'handover', 'streams', 'ours plain', 'ws', 'ws small'],
  idle: [4000, 16000],
  rounds: 3,
  targets: [
    { keys: ['ours', 'uv', 'handover'], level: 'Must', most: 1024 },
    { keys: ['ours', 'uv'], level: 'Aim', most: 600 },
    { keys: ['streams'], level: 'Must', most: 1, over: 'ws' },
  ],
}
