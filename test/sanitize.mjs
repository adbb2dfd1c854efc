// The tests of the epoll integration over an addon built with AddressSanitizer and
// UndefinedBehaviorSanitizer, leaks looked for, in the processes and workers that they start as
// well: nothing may be found, and no descriptor may be left open. Works in copies, so that the
// addon in build/ stays as it is.
//
// Of LeakSanitizer's findings those count that the addon allocated; of the others every one.
// Node itself is not instrumented; where process.exit() ends it, V8's heap, the platform's threads
// and libuv's tables are left to the system, and are found by the thousand. A list of what to
// suppress would have to name them all by frames of node, and our stacks have those as well.
//
// So that a net with holes does not pass: bugs are planted in copies, and each must be found.
//
// node test/sanitize.mjs [--planted-only | --clean-only] [FILE...]
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FILES = /^6\d\..*\.test\.ts$/
const ADDON = 'integrations/epoll-addon'
const BUILT = 'build/extpoll.node'
const JOB_MS = 170_000

/** Without symbols, since node's own take seconds; and what V8 does by SIGSEGV is its own. */
const ASAN = 'detect_leaks=1:symbolize=0:handle_segv=0:exitcode=0'

/** A bug: the text in a source that it takes the place of, and the tests that must find it. */
const planted = [
  {
    name: 'a block is never freed',
    file: 'memory.cc',
    from: '  delete block;\n',
    to: '',
    tests: ['60.epoll-addon', 'memory valid for both sides: freed'],
    finds: /leak of \d+ byte[^]*memory\.cc/,
  },
  {
    name: 'a poller is used after it was freed',
    file: 'poller.cc',
    from: '  args.addon->pollers.remove(id);\n',
    to: '',
    tests: ['61.poller', 'counts generations'],
    finds: /heap-use-after-free[^]*poller/,
  },
  {
    name: 'an array is written past its end',
    file: 'poller.cc',
    from: 'poller->ready.resize(static_cast<size_t>(poller->max_events))',
    to: 'poller->ready.resize(1)',
    tests: ['61.poller', 'starves nobody'],
    finds: /(?:heap-buffer|container)-overflow[^]*poller\.cc/,
  },
  {
    name: 'a transfer buffer is written past its end',
    file: 'memory.cc',
    from: 'for (; at < length; ++at) data[at]',
    to: 'for (; at <= length; ++at) data[at]',
    tests: ['60.epoll-addon', 'memory valid for both sides: collected'],
    finds: /use-after-poison[^]*memory\.cc/,
  },
  {
    name: 'the kernel reads past the end of a transfer buffer',
    file: 'addon.h',
    from: 'if (offset > limit || length > limit - offset) {',
    to: 'if (offset > limit) {',
    tests: ['60.epoll-addon', 'outside of the memory'],
    finds: /use-after-poison[^]*sockets\.cc/,
  },
  {
    name: 'an int is shifted further than it is long',
    file: 'memory.cc',
    from: 'key >> (at % 4 * 8)',
    to: 'key >> (at * 8)',
    tests: ['60.epoll-addon', 'masks as'],
    finds: /memory\.cc:\d+:\d+: runtime error: shift exponent/,
  },
  {
    name: 'a descriptor stays open',
    file: 'events.cc',
    from: '  args.addon->fds.set(fd, FdKind::kNone);\n  close(fd);\n',
    to: '  args.addon->fds.set(fd, FdKind::kNone);\n',
    tests: ['61.poller', 'holds foreign fds'],
    finds: /left open: .*eventfd/,
  },
]

const root = fileURLToPath(new URL('../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'extpoll-sanitize-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** The library that has to be there before node's own allocator is asked for anything. */
function findRuntime() {
  const { stdout } = spawnSync(process.env.CXX || 'g++', ['-print-file-name=libasan.so'])
  const path = String(stdout ?? '').trim()
  if (existsSync(path)) return path
  console.log('missing: libasan; it comes with g++')
  process.exit(process.env.CI ? 1 : 0)
}

const runtime = findRuntime()

/** Its status and what it printed; ended by force where it takes too long. */
function run(command, args, options) {
  const child = spawn(command, args, { ...options, timeout: JOB_MS, killSignal: 'SIGKILL' })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, output }))
  })
}

/** The project in a folder of its own, with an addon built of the sources there. */
async function makeCopy(name, change = () => {}) {
  const copy = join(folder, name)
  mkdirSync(join(copy, 'build'), { recursive: true })
  for (const part of ['src', 'integrations', 'test', 'dist', 'package.json', 'tsconfig.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  change(join(copy, ADDON))
  const build = await run(process.execPath, [join(copy, ADDON, 'build.mjs'), '--sanitize'], {})
  if (build.status !== 0) throw new Error(`${name} could not be built:\n${build.output}`)
  return copy
}

/** The functions and lines of the frames in the addon, which the runtime gives as offsets. */
function withNames(text) {
  const frame = /\((\S+extpoll\.node)\+(0x[0-9a-f]+)\)/g
  return text.replace(frame, (all, file, offset) => {
    const { stdout } = spawnSync('addr2line', ['-Cfpsie', file, offset], { encoding: 'utf8' })
    return stdout?.trim() || all
  })
}

const ALLOCATORS = /libasan|libstdc\+\+|libc\.so/

/** A leak is the addon's where the first frame above the allocator's is. */
function isAllocatedByAddon(block) {
  const frames = block.split('\n').filter((line) => /^ +#\d+ /.test(line))
  return frames.find((line) => !ALLOCATORS.test(line))?.includes('extpoll.node') ?? false
}

function readFindings(reports) {
  return readdirSync(reports).flatMap((name) => {
    const text = readFileSync(join(reports, name), 'utf8')
    if (!text.includes('LeakSanitizer')) return [withNames(text)]
    return text.split(/\n\n/).filter(isAllocatedByAddon).map(withNames)
  })
}

/** Runs a test file in the copy. @returns what is wrong, as text; '' where nothing is */
async function findIn(copy, file, grep) {
  const reports = mkdtempSync(join(copy, 'reports-'))
  const hook = join(copy, 'test/support/open-at-end.mjs')
  // The file is looked at in this very process, so that mocha starts no other.
  const mocha = ['--import', 'tsx', join('node_modules', 'mocha', 'bin', 'mocha.js'), '--no-config']
  const options = ['--extension', 'ts', '--timeout', '120000', '--reporter', 'dot']
  const chosen = grep === undefined ? [] : ['--grep', grep]
  const { status, output } = await run(
    process.execPath,
    [...mocha, ...options, '--require', hook, ...chosen, file],
    {
      cwd: copy,
      env: {
        ...process.env,
        EXTPOLL_SANITIZED: '1',
        EXTPOLL_OPEN_AT_END: join(reports, 'open'),
        NODE_OPTIONS: `--import ${hook}`,
        LD_PRELOAD: runtime,
        ASAN_OPTIONS: `${ASAN}:log_path=${reports}/asan`,
        UBSAN_OPTIONS: 'print_stacktrace=1',
        LSAN_OPTIONS: 'exitcode=0:max_leaks=0',
      },
    },
  )
  const findings = readFindings(reports).join('\n\n')
  if (findings !== '') return `${findings}\n${output}`
  return status === 0 && /\d+ passing/.test(output) ? '' : `mocha ended with ${status}\n${output}`
}

const isOk = (line, ok, found) => {
  console.log(ok ? line : `${line}\n${found}`)
  return ok
}

/** @returns whether the bug was found */
async function tryPlanted({ name, file, from, to, tests: [test, grep], finds }, index) {
  const copy = await makeCopy(`planted-${index}`, (addon) => {
    const path = join(addon, file)
    const text = readFileSync(path, 'utf8')
    if (!text.includes(from)) throw new Error(`${file} has changed: plant "${name}" anew`)
    writeFileSync(path, text.replace(from, to))
  })
  const found = await findIn(copy, `test/${test}.test.ts`, grep)
  const ok = finds.test(found)
  return isOk(`planted: ${name}: ${ok ? 'found' : 'NOT FOUND'}`, ok, found)
}

/** @returns whether nothing was found */
async function tryClean(copy, file) {
  const startMs = performance.now()
  const found = await findIn(await copy, join('test', file))
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
  const verdict = found === '' ? 'nothing found, nothing left open' : 'FOUND'
  return isOk(`${file}: ${verdict} (${seconds} s)`, found === '', found)
}

/** As many at once as there are processors. @returns how many answered false */
async function runAll(jobs) {
  let failed = 0
  const work = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) if (!(await job())) failed++
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return failed
}

const args = process.argv.slice(2)
const named = args.filter((arg) => !arg.startsWith('--'))
const jobs = []
if (!args.includes('--planted-only')) {
  const copy = makeCopy('clean')
  const files = named.length > 0 ? named : readdirSync(join(root, 'test')).sort()
  for (const file of files.filter((name) => FILES.test(name))) jobs.push(() => tryClean(copy, file))
}
if (!args.includes('--clean-only'))
  for (const [index, bug] of planted.entries()) jobs.push(() => tryPlanted(bug, index))
process.exitCode = (await runAll(jobs)) === 0 ? 0 : 1
