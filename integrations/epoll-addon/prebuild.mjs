/**
 * Builds what the package carries: prebuilds/linux-ARCH/extpoll.node, for users without a compiler.
 *
 * One binary for each architecture, built on it; Node-API makes it serve every Node from 20.19 on.
 * It may ask for nothing that the oldest Node does not need itself: glibc 2.28, and the libstdc++
 * of GCC 8. Source: Node's BUILDING.md; `objdump -T` tells what a binary asks for.
 */
import { spawnSync } from 'node:child_process'
import { rmSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A line of objdump: a symbol that others must have, and of what version. */
const WANTED = /^.*\*UND\*.*\((\w+?)_([\d.]+)\)\s+(\S+)$/gm
const FLOOR = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11' }

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(dirname(here))
const output = join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'extpoll.node')

function fail(line) {
  rmSync(output, { force: true })
  console.error(`no prebuilt addon: ${line}`)
  process.exit(1)
}

function run(command, args, env = {}) {
  const options = { encoding: 'utf8', env: { ...process.env, ...env } }
  const { error, status, stdout, stderr } = spawnSync(command, args, options)
  if (error) fail(`${command} cannot be run (${error.code}).`)
  if (status !== 0) fail(`${command} ended with status ${status}: ${stderr}`)
  return stdout
}

/** @returns below 0, 0 or above, as versions are ordered */
function compare(one, other) {
  const [left, right] = [one, other].map((version) => version.split('.').map(Number))
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Library -> the newest version of its symbols that the binary asks for. */
function versionsAsked() {
  const asked = {}
  const table = run('objdump', ['-T', output])
  for (const [, library, version, symbol] of table.matchAll(WANTED)) {
    if (!(library in FLOOR)) fail(`${symbol} is of ${library}, which no Node promises.`)
    if (compare(version, FLOOR[library]) > 0)
      fail(`${symbol} is of ${library} ${version}, newer than ${FLOOR[library]}.`)
    if (compare(version, asked[library] ?? '0') > 0) asked[library] = version
  }
  return asked
}

const builder = join(here, 'build.mjs')
run(process.execPath, [builder, '--output', output], {
  CXXFLAGS: `${process.env.CXXFLAGS ?? ''} -s`,
})
const asked = Object.entries(versionsAsked()).map(([library, version]) => `${library} ${version}`)
console.log(
  `${relative(root, output)}: ${statSync(output).size} bytes, asks for ${asked.join(', ')}`,
)
