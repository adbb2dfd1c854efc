/**
 * What the tests of the epoll integration share: whether it can run here, pairs of connected
 * sockets, and child processes for what could end a process.
 *
 * Knows the integration by its public surface, and the addon's own functions by binding.ts.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { addon } from '../../integrations/epoll-addon/binding.js'
import { socketIo, unixAddress } from '../../integrations/epoll.js'

/** Why the epoll integration cannot run here, or undefined where it can. */
function lacking(): string | undefined {
  if (process.platform !== 'linux') return 'epoll exists on Linux only'
  try {
    addon()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

let said = false

/** First in a chapter that needs the compiled addon: where there is none, one line says so. */
export function needsAddon(): void {
  before(function () {
    const reason = lacking()
    if (reason === undefined) return
    if (!said) console.log(`    left out: ${reason}`)
    said = true
    this.skip()
  })
}

/** A folder of its own, and the function that removes it with all it holds. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'extpoll-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** A connected pair: `client` called, `server` was accepted. */
export interface SocketPair {
  readonly client: number
  readonly server: number
}

/** Connects to a TCP listener on 127.0.0.1, and accepts. */
export function tcpPair(): SocketPair {
  const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 16 })
  assert.ok(listenFd > 2, `listen answered ${listenFd}`)
  const client = socketIo.connect(socketIo.localAddress(listenFd))
  assert.ok(client > 2, `connect answered ${client}`)
  const server = socketIo.accept(listenFd)
  assert.ok(server > 2, `accept answered ${server}`)
  assert.equal(socketIo.close(listenFd, false), 0)
  return { client, server }
}

/** Connects to a Unix listener that is already there, and accepts. */
export function unixPair(listenFd: number, path: string): SocketPair {
  const client = socketIo.connect(unixAddress(path))
  assert.ok(client > 2, `connect answered ${client}`)
  const server = socketIo.accept(listenFd)
  assert.ok(server > 2, `accept answered ${server}`)
  return { client, server }
}

export function closePair({ client, server }: SocketPair): void {
  socketIo.close(client, false)
  socketIo.close(server, false)
}

/** How a child ended, and what it said. */
export interface ChildEnd {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** From the first line on stdout to the end. */
  readonly lifeAfterFirstLineMs: number
}

export interface ChildOptions {
  readonly nodeArgs?: readonly string[]
  /** The child may open descriptors up to this number only. */
  readonly maxFds?: number
  /** Called once, when the child has printed its first line. */
  readonly onFirstLine?: (pid: number) => void
}

const projectRoot = fileURLToPath(new URL('../../', import.meta.url))

/** Runs a script of this folder in a process of its own. */
export function runChild(
  script: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildEnd> {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const node = [process.execPath, ...(options.nodeArgs ?? []), '--import', 'tsx', file, ...args]
  const shell = ['-c', `${options.maxFds ? `ulimit -n ${options.maxFds}; ` : ''}exec "$@"`, 'sh']
  const child = spawn('sh', [...shell, ...node], { cwd: projectRoot })
  let stdout = ''
  let stderr = ''
  let firstLineMs = 0
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    if (firstLineMs > 0 || !stdout.includes('\n')) return
    firstLineMs = performance.now()
    options.onFirstLine?.(child.pid!)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      const lifeAfterFirstLineMs = performance.now() - firstLineMs
      resolve({ status, signal, stdout, stderr, lifeAfterFirstLineMs })
    })
  })
}

/** Runs a script of this folder in a worker, which on Node 20 does not inherit tsx. */
export function startWorker(script: string, args: readonly string[]): Worker {
  const file = new URL(script, import.meta.url).href
  const code = `import('tsx/esm/api').then(({ register }) => {
    register()
    return import(${JSON.stringify(file)})
  })`
  return new Worker(code, { eval: true, argv: [...args] })
}

/** Runs a script and expects it to end well. @returns what it printed */
export async function runChildWell(
  script: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildEnd> {
  const end = await runChild(script, args, options)
  const { status, signal } = end
  assert.deepEqual({ status, signal }, { status: 0, signal: null }, `${end.stdout}\n${end.stderr}`)
  return end
}
