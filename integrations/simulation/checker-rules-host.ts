/**
 * Rules H1 to H9: what a host may do wrong.
 *
 * Each looks at the host's calls as they begin, before the library does anything about them.
 */
import { POLLERR, POLLHUP, POLLIN, POLL_MASK, formatEvents } from '../../src/index.js'
import type { Pollfd } from '../../src/index.js'
import { Status } from './checker-facts.js'
import type { ContextFacts, FdFacts, Scene } from './checker-facts.js'
import type { Broken, Rule } from './checker-rule.js'

/**
 * A readiness found before the mask changed may still arrive; a third in a row is none of those.
 */
const STRAYS = 3
/** Times that a fd was found ready, with nobody serving it in between. */
const STRIKES = 3
/**
 * Services between two looks for a forgotten 'more', for a host that does not tell of its waits.
 */
const LOOK_EVERY = 64

/** Fewer may be alike by chance. */
const JUDGED_BYTES = 16

export const hostRules: readonly Rule[] = [
  {
    id: 'H1',
    sentence: 'The host services an fd with no interest again and again.',
    service(scene, { serviced: facts, maskAtEntry, revents }) {
      if (facts === undefined || maskAtEntry !== 0) return undefined
      const isError = revents & (POLLERR | POLLHUP) && !scene.isLate(facts)
      const times = isError ? facts.errorsAtZero + 1 : facts.servicesAtZero
      if (times < 2) return undefined
      return `fd ${facts.fd}, whose mask is 0, once more with ${formatEvents(revents)}`
    },
  },
  {
    id: 'H2',
    sentence: 'The host sleeps past the timeout.',
    clock(scene, nowMs) {
      const frame = scene.frame
      if (frame === undefined || frame.context.nowReads > 0) return undefined
      const { promisedMs } = frame.context
      if (promisedMs === null || !(nowMs > promisedMs + scene.limits.lateMs)) return undefined
      return `it is ${nowMs}, and the deadline was ${promisedMs}`
    },
  },
  {
    id: 'H3',
    sentence: "The host ignores 'more' on an edge-triggered poller.",
    wait(scene, batch) {
      if (!scene.limits.edge || scene.owed.size === 0) return undefined
      const again = new Set(batch.map(({ fd }) => fd))
      for (const { fd, mask, owedBits } of scene.owed) {
        if (mask & owedBits && !again.has(fd))
          return `fd ${fd} answered 'more', and the host waited without it`
      }
      return undefined
    },
    service(scene) {
      if (!scene.limits.edge || scene.batchNo > 0 || scene.owed.size === 0) return undefined
      if (scene.serviceNo % LOOK_EVERY !== 0) return undefined
      for (const { fd, lastServiceNo, mask, owedBits } of scene.owed) {
        const since = scene.serviceNo - lastServiceNo
        if (mask & owedBits && since >= scene.limits.starveCalls)
          return `fd ${fd} answered 'more' ${since} services ago`
      }
      return undefined
    },
  },
  {
    id: 'H4',
    sentence: 'The host polls with another mask than announced.',
    service(_scene, { serviced: facts, revents, maskAtEntry }) {
      if (facts === undefined) return undefined
      const stray = revents & POLL_MASK & ~maskAtEntry
      if (stray === 0 || maskAtEntry === 0 || facts.strayServices + 1 < STRAYS) return undefined
      const mask = formatEvents(maskAtEntry)
      return `fd ${facts.fd} with ${formatEvents(revents)}; its mask is ${mask}`
    },
  },
  {
    id: 'H5',
    sentence: 'The host starves a ready fd.',
    service: (scene, context) => brokenFairness(scene, context),
  },
  {
    id: 'H6',
    sentence: 'The host skips or repeats entries while iterating.',
    wait(scene, batch) {
      const skipped = scene.batchAborted
        ? undefined
        : scene.batch.find((facts) => isSkipped(scene, facts))
      if (skipped !== undefined)
        return `fd ${skipped.fd} was ready in the round before, and not serviced`
      return twice(batch)
    },
    service(scene, { serviced: facts }) {
      if (facts === undefined || scene.batchNo === 0 || facts.batchNo !== scene.batchNo)
        return undefined
      if (facts.servedInBatch === 0 || facts.owedMore) return undefined
      return `fd ${facts.fd} is serviced again in one round`
    },
  },
  {
    id: 'H7',
    sentence: 'The host hands in a clock that runs backwards.',
    clock(scene, nowMs) {
      if (!Number.isFinite(nowMs)) return `now() is ${nowMs}`
      return nowMs < scene.nowMs ? `now() is ${nowMs} after ${scene.nowMs}` : undefined
    },
  },
  {
    id: 'H8',
    sentence: 'The host touches an fd after DEL.',
    wait(scene, batch) {
      for (const { fd, gen } of batch) {
        if (scene.deadLife(fd, gen) !== undefined)
          return `it still waited for fd ${fd}, gen ${String(gen)}`
      }
      return undefined
    },
    service(scene, context) {
      const dead = scene.deadLife(context.pollFd, context.pollGen)
      if (dead === undefined) return undefined
      // Found before the DEL it may still be in the batch at hand, once for each context asked.
      const old = dead.deletedInBatch < scene.batchNo
      if (!old && dead.servicesAfterDel < scene.contextCount) return undefined
      return `fd ${dead.fd}, gen ${dead.gen}, is serviced after its DEL`
    },
  },
  {
    id: 'H9',
    sentence: 'The host gives entropy that is none.',
    entropy({ entropy }, bytes) {
      if (bytes.length < JUDGED_BYTES) return undefined
      const [first] = bytes
      if (bytes.every((byte) => byte === first)) return `${bytes.length} bytes, all ${first}`
      if (entropy === undefined || entropy.length < JUDGED_BYTES) return undefined
      // It may be asked for more than the last time: what repeats is seen by how it begins.
      const start = bytes.subarray(0, JUDGED_BYTES)
      const again = start.every((byte, at) => byte === entropy[at])
      return again ? `twice in a row it began with the same ${JUDGED_BYTES} bytes` : undefined
    },
  },
]

function isSkipped(scene: Scene, facts: FdFacts): boolean {
  return (
    facts.status === Status.ANNOUNCED &&
    facts.batchNo === scene.batchNo &&
    facts.servedInBatch === 0
  )
}

function twice(batch: readonly Pollfd[]): Broken {
  if (batch.length < 2) return undefined
  const fds = new Set<number>()
  for (const { fd } of batch) {
    if (fds.has(fd)) return `fd ${fd} is twice in one batch`
    fds.add(fd)
  }
  return undefined
}

/**
 * Looks at one descriptor per service, round and round: the cost does not grow with their number.
 */
function brokenFairness(scene: Scene, context: ContextFacts): Broken {
  const { probe, edge, starveCalls } = scene.limits
  if (probe === undefined) return undefined
  const facts = context.nextToProbe()
  if (facts === undefined || facts.mask === 0) return undefined
  // An edge-triggered host tells once; what answered 'more' is for H3. All the same it must tell
  // of bytes and of an end, which a service reads until there are none.
  if (edge && facts.owedMore) return undefined
  const bits = edge ? facts.mask & POLLIN : facts.mask | POLLERR | POLLHUP
  const ready = (probe(facts.fd) & bits) !== 0
  facts.hungerStrikes = ready ? facts.hungerStrikes + 1 : 0
  const since = scene.serviceNo - facts.lastServiceNo
  if (facts.hungerStrikes < STRIKES || since < starveCalls) return undefined
  facts.hungerStrikes = 0
  return `fd ${facts.fd} was ready and not serviced in ${since} services`
}
