/**
 * A checked context on a fake poller, in one line, for the tests of everything above the seams.
 */
import { checked, fakePoller } from '../../integrations/fake-poller.js'
import type {
  CheckedHost,
  CheckerOptions,
  FakePoller,
  FakePollerOptions,
  UpgradeOptions,
  WsPeer,
} from '../../integrations/fake-poller.js'
import { createContext } from '../../src/index.js'
import type { Context, ContextOptions } from '../../src/index.js'
import { watchOver, watchOverMisuses } from './clean-checkers.js'

/**
 * Everything of createContext but the host, which is made here; the poller's and the checker's own
 * options apart.
 */
export type HarnessOptions = Omit<ContextOptions, 'host'> & {
  readonly poller?: FakePollerOptions | FakePoller
  readonly checker?: CheckerOptions
  /** False: no listener. Default true. */
  readonly listens?: boolean
}

export interface Harness {
  readonly ctx: Context
  readonly poller: FakePoller
  readonly checker: CheckedHost
  /** A new connection in the listener's queue. */
  readonly connect: () => WsPeer
  /**
   * A new connection that went through the opening handshake. @throws Error where it was refused
   */
  readonly open: (options?: UpgradeOptions) => WsPeer
  /** Rounds until the context has nothing more to do now. */
  readonly run: () => void
}

/** One context with a listener on a fake poller of its own; the checker is on. */
export function harness(options: HarnessOptions): Harness {
  const { poller: pollerOptions, checker: checkerOptions, listens = true, ...rest } = options
  const poller =
    pollerOptions !== undefined && 'clock' in pollerOptions
      ? pollerOptions
      : fakePoller(pollerOptions)
  const checker = checkedHost(poller, { ...judgedOf(rest), ...checkerOptions })
  const ctx = createContext({ ...(listens ? { port: 0 } : {}), ...rest, host: checker })
  const connect = (): WsPeer => poller.connectTo(ctx)
  return {
    ctx,
    poller,
    checker,
    connect,
    open(upgrade) {
      const peer = connect().upgrade(upgrade)
      poller.run(ctx)
      const response = peer.response()
      if (response?.status !== 101)
        throw new Error(`not upgraded: ${response?.status ?? 'no answer'}`)
      return peer
    },
    run: () => void poller.run(ctx),
  }
}

/** The host of a fake poller under a checker, for tests that make their contexts themselves. */
export function checkedHost(poller: FakePoller, options: CheckerOptions = {}): CheckedHost {
  const checker = checked(poller.host, {
    edge: poller.edge,
    probe: (fd) => poller.probe(fd),
    // Tests let time pass by moving the clock: that is no host oversleeping (H2).
    lateMs: Infinity,
    ...options,
  })
  poller.onWait = (batch) => checker.waited(batch)
  watchOver(checker)
  watchOverMisuses(poller)
  return checker
}

const JUDGED = [
  'rxBudgetBytes',
  'txBudgetBytes',
  'messageBudget',
  'acceptBudget',
  'broadcastBudget',
  'endBudget',
  'txHighWaterBytes',
] as const

function judgedOf(options: Partial<Record<(typeof JUDGED)[number], unknown>>): CheckerOptions {
  const judged: Partial<Record<(typeof JUDGED)[number], number>> = {}
  for (const name of JUDGED) {
    const value = options[name]
    if (typeof value === 'number') judged[name] = value
  }
  return judged
}
