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
// node test/sanitize.mjs [--smoke] [--planted-only | --clean-only] [FILE...]
//
// --smoke leaves out what costs much and tells little beside the others, files and planted bugs.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FILES = /^6\d\..*\.test\.ts$/
const ADDON = 'integrations/epoll-addon'
const OBJECTS = 'build/objects'
const WHOLE = '.'
/** What --smoke leaves out: files, or of a file the tests whose names have this in them. */
const COSTLY = {
  '60.no-addon.test.ts': WHOLE,
  '62.signals.test.ts': 'restores|lets two watches',
  '63.service.test.ts': 'wake-ups|by SIG',
  '64.node-loop-ends.test.ts': 'full speed|recipe and the command|a process',
  '65.adapter-suite.test.ts': 'streams in memory|TLS',
  '66.foreign-poller.test.ts': 'keeps deadlines|sleeps where',
  '67.attach.test.ts': '1,000 times',
  '67.recipes.test.ts': WHOLE,
}
const JOB_MS = 600_000

/**
 * Without symbols, since node's own take seconds; what V8 does by SIGSEGV is its own. Of an
 * allocation few frames, and of what was freed less than usual, which halves the time.
 */
const ASAN =
  'detect_leaks=1:symbolize=0:handle_segv=0:exitcode=0:malloc_context_size=8:quarantine_size_mb=32'

/** A bug: the text in a source that it takes the place of, and the tests that must find it. */
const planted = [
  {
    name: 'a block is never freed',
    smoke: true,
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
    smoke: true,
    file: 'sockets.cc',
    from: 'static_cast<size_t>(one.offset) + static_cast<size_t>(one.length) <= size;',
    to: 'static_cast<size_t>(one.offset) <= size;',
    tests: ['60.send-each', 'outside of the memory'],
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
    smoke: true,
    file: 'events.cc',
    from: '  close(fd);\n',
    to: '',
    tests: ['61.poller', 'holds foreign fds'],
    finds: /left open: .*eventfd/,
  },
]

const root = fileURLToPath(new URL('../', import.meta.url))

/** The library that has to be there before node's own allocator is asked for anything. */
function findRuntime() {
  const { stdout } = spawnSync(process.env.CXX || 'g++', ['-print-file-name=libasan.so'])
  const path = String(stdout ?? '').trim()
  if (existsSync(path)) return path
  console.log('missing: libasan; it comes with g++')
  process.exit(process.env.CI ? 1 : 0)
}

const runtime = findRuntime()
const folder = mkdtempSync(join(tmpdir(), 'extpoll-sanitize-'))

/** Processes at work, each with those that it starts. */
const groups = new Set()
const endGroup = (pid) => {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // None of them is left.
  }
}
process.on('exit', () => {
  groups.forEach(endGroup)
  // Who is ended this very moment may still write a file.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** Its status and what it printed; ended by force where it takes too long. */
function run(command, args, options) {
  const child = spawn(command, args, { ...options, detached: true })
  groups.add(child.pid)
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const patience = setTimeout(() => {
    output += `\nended after ${JOB_MS / 1000} s`
    endGroup(child.pid)
  }, JOB_MS)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => {
      clearTimeout(patience)
      endGroup(child.pid)
      groups.delete(child.pid)
      resolve({ status, output })
    })
  })
}

/** The project in a folder of its own, with an addon built of the sources and objects there. */
async function makeCopy(name, prepare = () => {}) {
  const copy = join(folder, name)
  mkdirSync(join(copy, 'build'), { recursive: true })
  for (const part of ['src', 'integrations', 'test', 'dist', 'package.json', 'tsconfig.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  prepare(copy)
  const options = ['--sanitize', '--objects', join(copy, OBJECTS)]
  const build = await run(process.execPath, [join(copy, ADDON, 'build.mjs'), ...options], {})
  if (build.status !== 0) throw new Error(`${name} could not be built:\n${build.output}`)
  return copy
}

/** A copy with one bug; what it does not concern is compiled already. */
function makePlanted(name, clean, { file, from, to }) {
  return makeCopy(name, (copy) => {
    const path = join(copy, ADDON, file)
    const text = readFileSync(path, 'utf8')
    if (!text.includes(from)) throw new Error(`${file} has changed: plant "${from}" anew`)
    writeFileSync(path, text.replace(from, to))
    cpSync(join(clean, OBJECTS), join(copy, OBJECTS), { recursive: true })
    rmSync(join(copy, OBJECTS, file.replace(/\.cc$/, '.o')))
  })
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
async function findIn(copy, file, chosen) {
  const reports = mkdtempSync(join(copy, 'reports-'))
  const hook = join(copy, 'test/support/open-at-end.mjs')
  // The file is looked at in this very process, so that mocha starts no other.
  const mocha = ['--import', 'tsx', join('node_modules', 'mocha', 'bin', 'mocha.js'), '--no-config']
  const options = [
    '--extension',
    'ts',
    '--require',
    './test/support/every-test.ts',
    '--timeout',
    '120000',
    '--reporter',
    'dot',
  ]
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
  return status === 0 && /[1-9]\d* passing/.test(output)
    ? ''
    : `mocha ended with ${status}\n${output}`
}

const secondsSince = (startMs) => ((performance.now() - startMs) / 1000).toFixed(0)

/** Prints a line, and below it what was found where that is to be read. @returns `ok` */
function tell(line, ok, found) {
  console.log(ok ? line : `${line}\n${found}`)
  return ok
}

/** @returns whether the bug was found */
async function tryPlanted(clean, bug) {
  const startMs = performance.now()
  const [test, grep] = bug.tests
  const copy = await makePlanted(`planted-${planted.indexOf(bug)}`, clean, bug)
  const found = await findIn(copy, `test/${test}.test.ts`, ['--grep', grep])
  const ok = bug.finds.test(found)
  const verdict = ok ? 'found' : 'NOT FOUND'
  return tell(`planted: ${bug.name}: ${verdict} (${secondsSince(startMs)} s)`, ok, found)
}

/** @returns whether nothing was found */
async function tryClean(clean, file) {
  const startMs = performance.now()
  const costly = smoke ? COSTLY[file] : undefined
  const chosen = costly === undefined ? [] : ['--invert', '--grep', costly]
  const found = await findIn(clean, join('test', file), chosen)
  const verdict = found === '' ? 'nothing found, nothing left open' : 'FOUND'
  return tell(`${file}: ${verdict} (${secondsSince(startMs)} s)`, found === '', found)
}

/** Two for each processor at once, since tests wait a lot. @returns the names of the well */
async function runAll(jobs) {
  const well = new Set()
  const waiting = [...jobs]
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift())
      if (await job.isWell()) well.add(job.name)
  }
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, work))
  return well
}

function chooseFiles(named) {
  const known = readdirSync(join(root, 'test')).filter((name) => FILES.test(name))
  if (named.length === 0) return known.filter((name) => !smoke || COSTLY[name] !== WHOLE).sort()
  const unknown = named.filter((name) => !known.includes(basename(name)))
  if (unknown.length > 0) {
    console.log(`no test of the epoll integration: ${unknown.join(', ')}`)
    process.exit(1)
  }
  return named.map((name) => basename(name))
}

const args = process.argv.slice(2)
const smoke = args.includes('--smoke')
const files = args.includes('--planted-only')
  ? []
  : chooseFiles(args.filter((arg) => !arg.startsWith('--')))
const bugs = args.includes('--clean-only') ? [] : planted.filter((bug) => bug.smoke || !smoke)

const startMs = performance.now()
const clean = await makeCopy('clean')
console.log(`built (${secondsSince(startMs)} s)`)
const well = await runAll([
  ...files.map((name) => ({ name, isWell: () => tryClean(clean, name) })),
  ...bugs.map((bug) => ({ name: bug.name, isWell: () => tryPlanted(clean, bug) })),
])
const wellFiles = files.filter((name) => well.has(name))
const foundBugs = bugs.map(({ name }) => name).filter((name) => well.has(name))
console.log(`${wellFiles.length} of ${files.length} files: nothing found, nothing left open`)
console.log(`${foundBugs.length} of ${bugs.length} planted bugs found: ${foundBugs.join('; ')}`)
console.log(`${secondsSince(startMs)} s`)
process.exitCode = well.size === files.length + bugs.length ? 0 : 1
