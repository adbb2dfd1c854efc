/*
 * Files over HTTP, on kept connections: CPU per request of our epoll server, of Node's http with a
 * stream pipe, and of Debian's nginx. How the figures come about is in README.md.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readArguments } from './arguments.mjs'
import { buildPrograms, filesRoot, requireOurs } from './build.mjs'
import { measureRow } from './measure.mjs'
import { describeMachine, isMet, printReport } from './table.mjs'

const usage = `usage: node test/bench/files.mjs [options]

  --rounds N    interleaved rounds per row (9)
  --seconds S   measured time of each run in a round (1)
  --attempts N  at most so often is a row measured that differs from itself (3)
  --smoke       one tiny round of everything: does it run, is every byte right?
  --check       exit with status 1 when a Must is missed`

const row = (name, bytes, connections, overNginx) => ({
  name: `files-${name}`,
  title: `${connections} kept connections, one GET of ${bytes} bytes in flight on each`,
  unit: 'request',
  load: { program: 'http-load', connections, path: `/${name}`, file: join(filesRoot, name) },
  bytes,
  series: ['nginx files', 'our files', 'node files', 'nginx files'].map((server) => ({
    key: server.replace(' files', '').replace('our', 'ours'),
    server,
  })),
  ratios: [
    { of: 'ours', over: 'node', level: 'Must', most: 1 },
    { of: 'ours', over: 'nginx', level: 'Aim', most: overNginx },
    { of: 'node', over: 'nginx' },
  ],
})
const rows = [row('1k.bin', 1024, 100, 3), row('1m.bin', 2 ** 20, 20, 1.3)]

async function main() {
  const { help, smoke, check, timing } = readArguments(usage)
  if (help) return void console.log(usage)
  process.env.PATH += ':/usr/sbin' // where Debian has it, and not every user looks
  if (spawnSync('nginx', ['-v']).error) throw new Error("no nginx: it is in Debian's nginx-light")
  buildPrograms()
  requireOurs()
  mkdirSync(filesRoot, { recursive: true })
  for (const { bytes, load } of rows) writeFileSync(load.file, randomBytes(bytes))
  const progress = (line) => console.error(line)
  const report = { machine: describeMachine(), timing, notes: [], rows: [], memory: null }
  for (const one of rows) report.rows.push(await measureRow(one, timing, progress))
  if (smoke) return void console.log('smoke: every server ran, every byte was right')
  printReport(report)
  const missed = report.rows
    .flatMap((one) => one.ratios)
    .some((ratio) => ratio.level === 'Must' && !isMet(ratio))
  if (check && missed) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exit(1)
}
