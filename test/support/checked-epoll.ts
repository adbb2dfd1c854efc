/**
 * The epoll host under the contract checker, and the proof that a test left nothing in its set.
 */
import assert from 'node:assert/strict'
import { epollHost, type EpollHost } from '../../integrations/epoll.js'
import { checked } from '../../integrations/fake-poller.js'
import { contextDestroy, type Context } from '../../src/index.js'
import { watchOver } from './clean-checkers.js'

/** The checker must be clean when the test ends. */
export function checkedEpoll(backend: 'epoll' | 'poll'): EpollHost {
  return underChecker(epollHost({ backend }))
}

/** The same under Node's own loop. */
export function checkedNodeLoop(): EpollHost {
  const host = epollHost({ loop: 'node' })
  // A test that fails before it destroys its contexts must not keep the run alive.
  host.unref()
  return underChecker(host)
}

function underChecker({ poller, ...host }: EpollHost): EpollHost {
  const checker = checked(host)
  watchOver(checker)
  return { ...host, ...checker, poller }
}

/** Destroys the contexts; nothing of the test may be left in the set. */
export function endHost(host: EpollHost, ...contexts: Context[]): void {
  for (const ctx of contexts) contextDestroy(ctx)
  assert.equal(host.poller.size, 0)
  host.poller.close()
}
