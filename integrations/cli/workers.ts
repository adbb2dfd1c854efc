/**
 * Several threads that serve one listener: started, ended together, and what became of them.
 *
 * Knows no subcommand: a worker is a script that calls `serveSeat`. The main thread holds the
 * listener, hears the signals, and serves nothing itself.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { createContext } from '../../src/index.js'
import type { ContextOptions } from '../../src/index.js'
import { wakeFd } from '../epoll.js'
import type { HostName, Seat } from './hosts.js'
import { hosts, SIGNALS } from './hosts.js'

/** What is handed to a worker; its port it has of Node. */
interface WorkerData extends Omit<Seat, 'port'> {
  readonly argv: readonly string[]
}

/** A worker could not go on. Its message is one line. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError'
}

/** Threads that run, or did. */
export interface Workers {
  /** Until each accepts. @throws WorkerError where one cannot; the others have ended then */
  readonly ready: Promise<void>
  /** Until all have ended. @throws WorkerError where one failed; it took the others with it */
  readonly ended: Promise<void>
}

/**
 * Starts `count` workers and ends them at SIGINT or SIGTERM, or when one of them fails.
 * @param script calls `serveSeat`, with the `argv` given here
 */
export function startWorkers(
  script: URL,
  argv: readonly string[],
  listenFd: number,
  count: number,
): Workers {
  const stops = new Int32Array(new SharedArrayBuffer(4))
  const threads: Thread[] = []
  const stop = (): void => {
    Atomics.add(stops, 0, 1)
    for (const thread of threads) thread.stop()
  }
  for (const signal of SIGNALS) process.on(signal, stop)
  const failures: unknown[] = []
  const fail = (failure: unknown): void => {
    failures.push(failure)
    if (failures.length === 1) stop()
  }
  while (threads.length < count && failures.length === 0) {
    try {
      threads.push(new Thread(script, { argv, listenFd, stops }, fail))
    } catch (refusal) {
      // At a limit on threads or memory the constructor itself throws: EAGAIN and no more.
      fail(new Error(`its thread could not be made: ${messageOf(refusal)}`))
    }
  }
  const ended = Promise.all(threads.map((thread) => thread.ended)).then(() => {
    for (const signal of SIGNALS) process.off(signal, stop)
    if (failures.length > 0) throw new WorkerError(lineOf(failures[0], count))
  })
  // Who waits for `ready` hears of it first, and may never come to `ended`.
  ended.catch(() => {})
  // Those that are there may yet accept before they end: that is not what was asked for.
  if (threads.length < count) return { ready: ended, ended }
  const accepting = Promise.all(threads.map((thread) => thread.ready)).then(() => {})
  return { ready: Promise.race([accepting, ended]), ended }
}

function lineOf(failure: unknown, count: number): string {
  return `one of the ${count} workers failed, and ended the others: ${messageOf(failure)}`
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure)
}

class Thread {
  readonly ready: Promise<void>
  readonly ended: Promise<void>
  readonly #worker: Worker
  #wakeFd: number | undefined

  constructor(script: URL, data: WorkerData, fail: (failure: unknown) => void) {
    this.#worker = new Worker(script, { workerData: data })
    this.ready = new Promise((resolve) => {
      this.#worker.once('message', (wakeFdOfIt: number) => {
        this.#wakeFd = wakeFdOfIt
        resolve()
      })
    })
    this.#worker.once('error', fail)
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', (status) => {
        this.#wakeFd = undefined
        if (Atomics.load(data.stops, 0) === 0) fail(new Error(`it ended with status ${status}`))
        resolve()
      })
    })
  }

  /** One signal more. Where it is not ready yet, it sees what was counted when it is. */
  stop(): void {
    this.#worker.postMessage('stop')
    if (this.#wakeFd === undefined) return
    try {
      wakeFd(this.#wakeFd)
    } catch {
      // It closed its poller in this moment, and is about to end.
    }
  }
}

/** In a worker: opens the host, tells the main thread, and serves until it says so. */
export async function serveSeat(
  read: (argv: readonly string[]) => { host: HostName; options: Omit<ContextOptions, 'host'> },
): Promise<void> {
  const { argv, listenFd, stops } = workerData as WorkerData
  const port = parentPort!
  const { host: name, options } = read(argv)
  const open = hosts[name]({ listenFd, stops, port })
  try {
    // Each takes one connection at a time, so that those that come at once meet several.
    const ctx = createContext({ ...options, host: open.host, acceptBudget: 1 })
    port.postMessage(open.wakeFd!)
    await open.serveUntilSignal(ctx)
  } finally {
    open.close()
  }
}
