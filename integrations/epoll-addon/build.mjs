/**
 * Builds build/extpoll.node: `node integrations/epoll-addon/build.mjs [--output F] [--sanitize]
 * [--objects FOLDER]`.
 *
 * Refuses to download anything. Sources and flags are those of binding.gyp, read from there, so
 * that node-gyp and this script cannot differ. Headers come from beside the running node, else from
 * node-gyp's cache. CXX names the compiler, CXXFLAGS adds to the flags. With --objects what it
 * compiled stays in the folder, and what is there is not compiled again.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(dirname(here))
const compiler = process.env.CXX || 'g++'

const SANITIZERS = [
  ...['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'],
  // The bounds of std::vector, and what it has reserved and not given out.
  ...['-D_GLIBCXX_ASSERTIONS', '-D_GLIBCXX_SANITIZE_VECTOR', '-fno-omit-frame-pointer'],
]

function fail(line) {
  console.error(`addon not built: ${line}`)
  process.exit(1)
}

function findHeaders() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const places = [
    join(dirname(dirname(process.execPath)), 'include', 'node'),
    join(cache, 'node-gyp', process.versions.node, 'include', 'node'),
  ]
  const found = places.find((place) => existsSync(join(place, 'node_api.h')))
  if (found === undefined) {
    fail('node_api.h is missing beside this node; `npx node-gyp install` fetches the headers.')
  }
  return found
}

function runCompiler(args) {
  return new Promise((done) => {
    const child = spawn(compiler, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', () => fail(`no C++17 compiler (${compiler}); install g++ or set CXX.`))
    child.on('close', (status) => {
      if (status !== 0) fail(`${compiler} ended with status ${status}.`)
      done()
    })
  })
}

/** As many at once as there are processors. @returns the objects, in the order of the sources */
async function compile(sources, flags, folder) {
  mkdirSync(folder, { recursive: true })
  const objectOf = (source) => join(folder, source.replace(/\.cc$/, '.o'))
  const waiting = sources.filter((source) => !existsSync(objectOf(source)))
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await runCompiler([...flags, '-c', relative(root, join(here, next)), '-o', objectOf(next)])
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return sources.map(objectOf)
}

async function build({ sanitize, output, objects }) {
  if (process.platform !== 'linux') fail('epoll exists on Linux only; the rest works without it.')
  const target = JSON.parse(readFileSync(join(here, 'binding.gyp'), 'utf8')).targets[0]
  const extra = (process.env.CXXFLAGS ?? '').split(/\s+/).filter(Boolean)
  const flags = [...target.cflags_cc, ...(sanitize ? SANITIZERS : []), ...extra]
  const unfinished = `${output}.${process.pid}`
  const folder = objects ?? `${unfinished}.objects`
  mkdirSync(dirname(output), { recursive: true })
  if (objects === undefined)
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const parts = await compile(target.sources, [...flags, `-I${findHeaders()}`], folder)
  await runCompiler([...flags, '-shared', ...target.ldflags, ...parts, '-o', unfinished])
  // A process that has the old file mapped keeps it; writing into it would crash that process.
  renameSync(unfinished, output)
  console.log(`built ${relative(root, output)}${sanitize ? ' with sanitizers' : ''}`)
}

function options() {
  const text = { type: 'string' }
  try {
    return parseArgs({ options: { sanitize: { type: 'boolean' }, output: text, objects: text } })
      .values
  } catch (error) {
    const known = '--output FILE, --sanitize and --objects FOLDER'
    return fail(`${error.message.split('\n')[0]}; there are ${known}.`)
  }
}

const { sanitize = false, output = join(root, 'build', 'extpoll.node'), objects } = options()
await build({
  sanitize,
  output: resolve(output),
  objects: objects === undefined ? undefined : resolve(objects),
})
