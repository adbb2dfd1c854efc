/**
 * Builds build/extpoll.node: `node integrations/epoll-addon/build.mjs [--sanitize] [--output F]`.
 *
 * Refuses to download anything. Sources and flags are those of binding.gyp, read from there, so
 * that node-gyp and this script cannot differ. Headers come from beside the running node, else from
 * node-gyp's cache. CXX names the compiler, CXXFLAGS adds to the flags.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(dirname(here))

function fail(line) {
  console.error(`addon not built: ${line}`)
  process.exit(1)
}

function findHeaders() {
  const places = [
    join(dirname(dirname(process.execPath)), 'include', 'node'),
    join(homedir(), '.cache', 'node-gyp', process.versions.node, 'include', 'node'),
  ]
  const found = places.find((place) => existsSync(join(place, 'node_api.h')))
  if (found === undefined) {
    fail('node_api.h is missing beside this node; `npx node-gyp install` fetches the headers.')
  }
  return found
}

function build(sanitize, output) {
  if (process.platform !== 'linux') fail('epoll exists on Linux only; the rest works without it.')
  const target = JSON.parse(readFileSync(join(here, 'binding.gyp'), 'utf8')).targets[0]
  const compiler = process.env.CXX || 'g++'
  const extra = (process.env.CXXFLAGS ?? '').split(/\s+/).filter(Boolean)
  const sanitizers = [
    ...['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'],
    // The bounds of std::vector, and what it has reserved and not given out.
    ...['-D_GLIBCXX_ASSERTIONS', '-D_GLIBCXX_SANITIZE_VECTOR', '-fno-omit-frame-pointer'],
  ]
  const unfinished = `${output}.${process.pid}`
  mkdirSync(dirname(output), { recursive: true })
  const args = [
    ...target.cflags_cc,
    ...(sanitize ? sanitizers : []),
    ...extra,
    `-I${findHeaders()}`,
    '-shared',
    ...target.ldflags,
    ...target.sources.map((source) => relative(root, join(here, source))),
    '-o',
    unfinished,
  ]
  const { error, status } = spawnSync(compiler, args, { cwd: root, stdio: 'inherit' })
  if (error) fail(`no C++17 compiler (${compiler}); install g++ or set CXX.`)
  if (status !== 0) fail(`${compiler} ended with status ${status}.`)
  // A process that has the old file mapped keeps it; writing into it would crash that process.
  renameSync(unfinished, output)
  console.log(`built ${relative(root, output)}${sanitize ? ' with sanitizers' : ''}`)
}

function options() {
  try {
    return parseArgs({ options: { sanitize: { type: 'boolean' }, output: { type: 'string' } } })
      .values
  } catch (error) {
    return fail(`${error.message.split('\n')[0]}; there are --sanitize and --output FILE.`)
  }
}

const { sanitize = false, output = join(root, 'build', 'extpoll.node') } = options()
build(sanitize, resolve(output))
