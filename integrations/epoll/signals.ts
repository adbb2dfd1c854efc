/**
 * Signals as a readable descriptor, for threads that block in a wait of their own.
 *
 * While such a wait runs, no `process.on('SIGTERM')` listener does. Opt-in, main thread only, and
 * undone by `close`. Knows no poller: `fd` joins any. Source: sigaction(2), eventfd(2).
 */
import { constants } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import { UsageError } from '../../src/index.js'
import { addon } from '../epoll-addon/binding.js'
import { isList } from './arguments.js'
import { systemError } from './system-error.js'

/** Signals under watch. */
export interface SignalWatch {
  /** Readable (POLLIN) once one of them came. Poll it, never read, write or close it. */
  readonly fd: number
  /**
   * The signals that came since the last call, in order of their number, each once however often
   * it came. Clears the descriptor's readiness. After `close`: none.
   */
  read(): NodeJS.Signals[]
  /** Restores what the signals did before. Remove `fd` from its poller first. Twice is harmless. */
  close(): void
}

const numbers: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals))
const MAX_SIGNAL = 31
const EINVAL = -22

const open = new Set<SignalWatch>()

function closeAll(): void {
  for (const watch of open) watch.close()
}

function maskOf(signals: readonly NodeJS.Signals[]): number {
  if (!isList(signals) || signals.length === 0) {
    const message = "watchSignals() takes a list of names, such as ['SIGINT', 'SIGTERM']"
    throw new UsageError('ERR_EXTPOLL_SIGNAL', message)
  }
  let mask = 0
  for (const name of signals) {
    const signal = typeof name === 'string' ? numbers.get(name) : undefined
    if (signal === undefined || signal > MAX_SIGNAL) {
      const shown = typeof name === 'string' ? name.slice(0, 40) : `of type ${typeof name}`
      const message = `watchSignals(): there is no signal ${shown} here; names are like SIGTERM`
      throw new UsageError('ERR_EXTPOLL_SIGNAL', message)
    }
    mask |= 1 << signal
  }
  return mask >>> 0
}

function namesOf(mask: number, asked: readonly NodeJS.Signals[]): NodeJS.Signals[] {
  const names: NodeJS.Signals[] = []
  for (let signal = 1; signal <= MAX_SIGNAL; signal++) {
    if (((mask >>> signal) & 1) === 0) continue
    const name = asked.find((one) => numbers.get(one) === signal)
    if (name !== undefined) names.push(name)
  }
  return names
}

/**
 * Turns signals into a readable descriptor. Several watches of one signal all hear it. While any is
 * open, the signal's default action and `process.on` listeners installed before do not run; one
 * installed later takes the signal away. `close`, the end of the process and of the environment
 * restore what was there before.
 *
 * @param signals names, at least one. Refused: SIGKILL and SIGSTOP (the kernel), SIGSEGV, SIGBUS,
 *   SIGFPE, SIGILL, SIGTRAP (faults), SIGCHLD (Node's child processes), SIGPROF (its profiler)
 * @throws UsageError ERR_EXTPOLL_SIGNAL for a name that is unknown or refused
 * @throws UsageError ERR_EXTPOLL_MAIN_THREAD in a worker
 * @throws Error with `code` EMFILE, ENFILE or ENOSPC (32 watches are open) where there is no room
 *
 * @example
 * const watch = watchSignals(['SIGINT', 'SIGTERM'])
 * host.poller.add(watch.fd, POLLIN, undefined, () => {
 *   if (watch.read().length > 0) contextDestroy(ctx)
 * })
 */
export function watchSignals(signals: readonly NodeJS.Signals[]): SignalWatch {
  if (!isMainThread) {
    const message = 'watchSignals() works on the main thread only: signals belong to the process'
    throw new UsageError('ERR_EXTPOLL_MAIN_THREAD', message)
  }
  const mask = maskOf(signals)
  const asked = [...signals]
  const fd = addon().signalsWatch(mask)
  if (fd === EINVAL) {
    const message = `watchSignals(): one of ${asked.join(', ')} cannot be watched`
    throw new UsageError('ERR_EXTPOLL_SIGNAL', message)
  }
  if (fd < 0) throw systemError('sigaction', fd, 'the signals could not be watched')
  const watch: SignalWatch = {
    fd,
    read: () => (open.has(watch) ? namesOf(addon().signalsRead(fd), asked) : []),
    close() {
      if (!open.delete(watch)) return
      if (open.size === 0) process.off('exit', closeAll)
      addon().signalsClose(fd)
    },
  }
  if (open.size === 0) process.on('exit', closeAll)
  open.add(watch)
  return watch
}
