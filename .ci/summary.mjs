// Sums up a run of the gate: the ten slowest parts, then `N passed, N failed` alone.
//
// Reads what .ci/run left in the folder named: parts.tsv (name, milliseconds, status, or `-` for a
// step that is no check) and totals/ (a line of JSON per mocha run, see
// test/support/spec-with-totals.mjs). Knows nothing of what the parts do.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2]
const slowest = []
let passed = 0
let failed = 0
const failedParts = []

function totalsOf(name) {
  const path = join(folder, 'totals', name.replace(/[^a-z0-9]/g, '-'))
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').trim().split('\n').map(JSON.parse)
}

/** A skipped test counts as failed: in the gate nothing may be left out. */
function addTests(name, totals) {
  let bad = 0
  for (const { passes, failures, pending, milliseconds } of totals) {
    passed += passes
    bad += failures + pending
    for (const [file, time] of Object.entries(milliseconds)) {
      slowest.push({ name: `${name}: ${file}`, time })
    }
  }
  failed += bad
  return bad
}

for (const line of readFileSync(join(folder, 'parts.tsv'), 'utf8').trim().split('\n')) {
  const [name, time, status] = line.split('\t')
  slowest.push({ name, time: Number(time) })
  if (status === '-') continue
  const totals = totalsOf(name)
  const bad = addTests(name, totals)
  if (status !== '0' || bad > 0) failedParts.push(name)
  if (status === '0' && totals.length === 0) passed++
  if (status !== '0' && bad === 0) failed++
}

console.log('slowest:')
slowest.sort((a, b) => b.time - a.time)
for (const { name, time } of slowest.slice(0, 10)) {
  console.log(`${(time / 1000).toFixed(1).padStart(8)} s  ${name}`)
}
if (failedParts.length > 0) console.log(`failed: ${failedParts.join(', ')}`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
