// The same seed is the same run: twice in one process, in two processes that go through the seeds
// in opposite directions, and on every Node given. Prints where digests differ; status 1 then.
//
// node test/determinism.mjs [--seeds N] [NODE]...      needs a built dist/; NODE is a path to one
// node test/determinism.mjs --digests forwards|backwards --seeds N      what it starts: one process
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const DEFAULT_SEEDS = 3000
const SHOWN = 5
const self = fileURLToPath(import.meta.url)

const { values, positionals: otherNodes } = parseArgs({
  options: { seeds: { type: 'string' }, digests: { type: 'string' } },
  allowPositionals: true,
})
const count = Number(values.seeds ?? DEFAULT_SEEDS)
if (!Number.isSafeInteger(count) || count < 1) {
  console.error('--seeds takes a whole number from 1')
  process.exit(2)
}

/** Runs every seed of the workload and prints their digests, seed 1 first. */
async function printDigests(direction) {
  const { isFailure, scenarios, trySeed } = await import('../dist/integrations/fake-poller.js')
  const [workload] = scenarios
  const digestOf = (seed) => {
    const outcome = trySeed(workload, seed, { faults: 'swarm' })
    return isFailure(outcome) ? outcome.summary : outcome.digest
  }
  const seeds = Array.from({ length: count }, (_, index) => index + 1)
  if (direction === 'backwards') seeds.reverse()
  const digests = seeds.map((seed) => {
    const digest = digestOf(seed)
    // Forwards each seed runs again at once.
    const again = direction === 'forwards' ? digestOf(seed) : digest
    return digest === again ? digest : `${digest}, then ${again}`
  })
  if (direction === 'backwards') digests.reverse()
  process.stdout.write(JSON.stringify(digests))
}

function digestsOf({ node, direction }) {
  const child = spawn(node, [self, '--digests', direction, '--seeds', String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => (text += chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) =>
      status === 0 ? resolve(JSON.parse(text)) : reject(new Error(`${node} ended with ${status}`)),
    )
  })
}

/** So many at a time as there are cores. */
async function runAll(runs) {
  const results = []
  let next = 0
  const worker = async () => {
    while (next < runs.length) {
      const index = next++
      results[index] = await digestsOf(runs[index])
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return results
}

async function compare() {
  const runs = [
    { node: process.execPath, direction: 'forwards', name: `${process.version}, each seed twice` },
    { node: process.execPath, direction: 'backwards', name: `${process.version}, backwards` },
    ...otherNodes.map((node) => ({ node, direction: 'backwards', name: node })),
  ]
  const [reference, ...others] = await runAll(runs)
  const faults = []
  for (const [index, digest] of reference.entries())
    if (typeof digest === 'string') faults.push(`seed ${index + 1}: ${digest}`)
  for (const [at, digests] of others.entries())
    for (const [index, digest] of digests.entries())
      if (digest !== reference[index])
        faults.push(
          `seed ${index + 1}: ${reference[index]}, and with ${runs[at + 1].name} ${digest}`,
        )
  for (const line of faults.slice(0, SHOWN)) console.log(line)
  console.log(`${count} seeds, ${runs.length + 1} times each: ${faults.length} differences`)
  process.exitCode = faults.length === 0 ? 0 : 1
}

if (values.digests === undefined) await compare()
else await printDigests(values.digests)
