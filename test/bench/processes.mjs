/*
 * Servers and loads as child processes: started on their cores, spoken to in lines, ended by their
 * own pid. Knows the commands, not what is measured. Nothing outlives the bench, whatever happens.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { benchDirectory, filesRoot, ourCommand, outDirectory } from './build.mjs'
import { programPath, rootDirectory } from './build.mjs'

const startTimeoutMs = 15_000
const stopTimeoutMs = 3_000
const lineTimeoutMs = 120_000

const node = (nodeOptions, file, ...args) => [process.execPath, ...nodeOptions, file, ...args]
const ourEcho = (host, ...args) => {
  const echo = ['echo', '--host', host, '--port', '0', ...args]
  return (nodeOptions) => node(nodeOptions, ourCommand, ...echo)
}
const script =
  (name, ...args) =>
  (nodeOptions) =>
    node(nodeOptions, join(benchDirectory, name), ...args)

const smallYoung = '--max-semi-space-size=1'

/** Kind of server -> its command. What is not in C takes options of node. */
const commands = {
  raw: () => [programPath('raw-echo')],
  bare: () => [programPath('bare-echo')],
  ours: ourEcho('epoll'),
  uv: ourEcho('epoll-uv'),
  streams: ourEcho('node-streams'),
  handover: ourEcho('handover'),
  net: script('net-echo.mjs'),
  'ours copy': ourEcho('epoll', '--payload', 'copy'),
  ws: script('ws-server.mjs'),
  'ours plain': script('our-broadcast.mjs'),
  'ws small': (nodeOptions) => script('ws-server.mjs')([smallYoung, ...nodeOptions]),
  'bare broadcast': () => [programPath('bare-echo'), '--broadcast'],
  'ours broadcast': script('our-broadcast.mjs'),
  'ours prepared': script('our-broadcast.mjs', '--prepared'),
  'our files': script('our-files.mjs', filesRoot),
  'node files': script('node-files.mjs', filesRoot),
  'nginx files': () => ['sh', join(benchDirectory, 'nginx-files.sh'), filesRoot, outDirectory],
  'ws broadcast': script('ws-server.mjs', '--broadcast'),
}

/** JavaScript needs time to be compiled; C is as fast at once as it will ever be. */
export const isCompiledAtRunTime = (kind) => !/^(bare|raw|nginx)/.test(kind)

const children = new Set()
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130))

/** The cores of this process, as [server, load]; null where there are not two. */
function pickCores() {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]
  const cores = list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
  // The first core usually takes the machine's interrupts: it gets the load.
  return cores.length < 2 ? null : { server: cores[1], load: cores[0] }
}
export const cores = pickCores()

/** A child with its lines of stdout. `line()` waits for the next one, null at the end. */
function start([command, ...args]) {
  const stdio = ['pipe', 'pipe', 'inherit']
  const child = spawn(command, args, { cwd: rootDirectory, stdio })
  children.add(child)
  const exited = new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (status, signal) => resolve(signal ?? status))
  })
  void exited.then(() => children.delete(child))
  child.stdin.on('error', () => {}) // it may be gone before it was told to go on
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (timeoutMs = lineTimeoutMs) => {
    let timer
    const timeout = new Promise((_, reject) => {
      const message = `'${command}' said nothing for ${timeoutMs / 1000} s`
      timer = setTimeout(() => reject(new Error(message)), timeoutMs)
    })
    const next = await Promise.race([lines.next(), timeout]).finally(() => clearTimeout(timer))
    return next.done ? null : next.value
  }
  const stop = async (signal = 'SIGTERM') => {
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
    child.kill(signal)
    return exited.finally(() => clearTimeout(timer))
  }
  return { child, pid: child.pid, exited, line, stop }
}

/**
 * A server of the given kind on its own core, once it accepts connections.
 * `notes` are the lines it said before that.
 */
export async function startServer(kind, nodeOptions = []) {
  const pinned = cores ? ['taskset', '-c', String(cores.server)] : []
  const server = start([...pinned, ...commands[kind](nodeOptions)])
  const notes = []
  for (;;) {
    const line = await server.line(startTimeoutMs)
    if (line === null) throw new Error(`the ${kind} server ended at once (${await server.exited})`)
    const match = /^listening on \w+:\/\/[\d.]+:(\d+)$/.exec(line)
    if (match) return { ...server, kind, notes, port: Number(match[1]) }
    notes.push(line)
  }
}

/**
 * A load against a server. `options` are load.c's, by name, or those of `program`; a true one takes
 * no value.
 * `go()` lets a held load go on; `result()` is the JSON of its last line.
 */
export function startLoad(server, { program = 'load', ...options }) {
  const own = { port: server.port, 'server-pid': server.pid, raw: /^(raw|net)$/.test(server.kind) }
  const all = { ...own, ...(cores ? { cpu: cores.load } : {}), ...options }
  const args = Object.entries(all).flatMap(([name, value]) => {
    if (value === false || value === undefined) return []
    return value === true ? [`--${name}`] : [`--${name}`, String(value)]
  })
  const load = start([programPath(program), ...args])
  const expectLine = async (wanted) => {
    const line = await load.line()
    if (line === wanted || (wanted === null && line?.startsWith('{'))) return line
    throw new Error(`the load against ${server.kind} failed (status ${await load.exited})`)
  }
  const result = async () => {
    const figures = JSON.parse(await expectLine(null))
    if ((await load.exited) !== 0) throw new Error(`the load against ${server.kind} failed`)
    return figures
  }
  return { ...load, expectLine, result, go: () => load.child.stdin.write('\n') }
}

/** Runs a load to its end and answers its figures. */
export async function runLoad(server, options) {
  const load = startLoad(server, options)
  for (const step of options.idle ? String(options.idle).split(',') : []) {
    await load.expectLine(`idle ${step}`)
  }
  await load.expectLine('warm')
  await load.expectLine('measured')
  return load.result()
}

/** Waits for a child of spawn's own kind; for tools that are neither server nor load. */
export async function waitForExit(child) {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
