/**
 * What happens at a context, as the checker sees it: asks the rules, then keeps the facts.
 *
 * Called by the wrappers (checker.ts, checker-io.ts) and by nobody else. Knows which step goes to
 * which rules; no rule is written here.
 */
import { Reason } from '../../src/index.js'
import type { PollChange, Pollfd, Tap } from '../../src/index.js'
import {
  applyAnswer,
  applyCallback,
  applyService,
  beginService,
  endService,
} from './checker-calls.js'
import { FdFacts, genKey, Status } from './checker-facts.js'
import type { ContextFacts, Scene } from './checker-facts.js'
import { CallLog, NONE } from './checker-log.js'
import { applyResult, noteBudget } from './checker-results.js'
import type { IoOp, Rule, Violation } from './checker-rule.js'

type Stage = Exclude<keyof Rule, 'id' | 'sentence'>
type Having<S extends Stage> = Rule & Required<Pick<Rule, S>>

type RulesByStage = { readonly [S in Stage]: readonly Having<S>[] }

/** More than these many are the same fault again. */
const MAX_VIOLATIONS = 100

export class Observer {
  readonly log = new CallLog()
  readonly violations: Violation[] = []
  /** The checker itself asks the context something: nobody is calling. */
  asking = false

  private readonly at: RulesByStage

  constructor(
    readonly scene: Scene,
    rules: readonly Rule[],
    private readonly onViolation: ((violation: Violation) => void) | undefined,
    private readonly excused: ((rule: string) => boolean) | undefined,
  ) {
    this.at = byStage(rules)
  }

  /** An announcement on its way to the keeper of the poll array. @throws what the keeper throws */
  announce(change: PollChange, events: number, tell: () => void): void {
    const { scene } = this
    const live = scene.fds.get(change.fd)
    this.log.add(change.op, change.fd, events)
    for (const rule of this.at.announce) {
      const broken = rule.announce(scene, live, change, events)
      if (broken !== undefined) this.report(rule, broken)
    }
    const facts = this.applyChange(change, live)
    facts.context.announcing += 1
    try {
      tell()
    } catch (error) {
      if (change.op === 'ADD') this.refuse(facts)
      throw error
    } finally {
      facts.context.announcing -= 1
    }
  }

  /** SET_TIMEOUT on its way. */
  timeout(timeoutMs: number, deadlineMs: number | null): void {
    const { scene } = this
    const context = scene.frame?.context
    this.log.add('SET_TIMEOUT', timeoutMs, deadlineMs ?? NONE)
    for (const rule of this.at.timeout) {
      const broken = rule.timeout(scene, context, timeoutMs, deadlineMs)
      if (broken !== undefined) this.report(rule, broken)
    }
    if (context !== undefined) context.announcedDeadlineMs = deadlineMs
  }

  beforeIo(op: IoOp, fd: number, asked = 0): FdFacts | undefined {
    const { scene } = this
    const facts = scene.fds.get(fd)
    for (const rule of this.at.io) {
      const broken = rule.io(scene, op, fd, facts, asked)
      if (broken !== undefined) this.report(rule, broken)
    }
    if (facts !== undefined) scene.touch(facts)
    return facts
  }

  afterIo(op: IoOp, fd: number, facts: FdFacts | undefined, wanted: number, result: number): void {
    this.log.add(op, fd, wanted, result)
    if (facts === undefined) return
    applyResult(this.scene, op, facts, wanted, result)
    for (const rule of this.at.ioResult) {
      const broken = rule.ioResult(this.scene, op, facts, result)
      if (broken !== undefined) this.report(rule, broken)
    }
  }

  /** A descriptor came into being by listen, accept, connect or resolve. */
  opened(how: string, fd: number): FdFacts | undefined {
    this.log.add(how, NONE, NONE, fd)
    const { scene } = this
    const context = scene.frame?.context
    if (fd < 0) return undefined
    if (context === undefined) {
      if (how === 'listen') scene.newListeners.add(fd)
      return undefined
    }
    const facts = new FdFacts(fd, how === 'listen', context, scene.fds.get(fd))
    if (how === 'accepted') facts.acceptedIn = context.callNo
    scene.fds.set(fd, facts)
    scene.touch(facts)
    return facts
  }

  clock(nowMs: number): void {
    const { scene } = this
    for (const rule of this.at.clock) {
      const broken = rule.clock(scene, nowMs)
      if (broken !== undefined) this.report(rule, broken)
    }
    const frame = scene.frame
    if (frame !== undefined && frame.call !== 'nextTimeout') frame.context.nowReads += 1
    scene.nowMs = nowMs
  }

  entropy(bytes: Uint8Array): void {
    const { scene } = this
    for (const rule of this.at.entropy) {
      const broken = rule.entropy(scene, bytes)
      if (broken !== undefined) this.report(rule, broken)
    }
    scene.entropy = bytes.slice()
  }

  waited(batch: readonly Pollfd[]): void {
    const { scene } = this
    this.log.add('wait', NONE, NONE, batch.length)
    for (const rule of this.at.wait) {
      const broken = rule.wait(scene, batch)
      if (broken !== undefined) this.report(rule, broken)
    }
    scene.batchNo += 1
    scene.batchAborted = false
    scene.batch.length = 0
    for (const { fd, gen } of batch) {
      const facts = scene.fds.get(fd)
      if (facts?.status !== Status.ANNOUNCED) continue
      if (gen !== undefined && gen !== facts.gen) continue
      facts.batchNo = scene.batchNo
      facts.servedInBatch = 0
      scene.batch.push(facts)
    }
  }

  readonly tap: Tap = {
    enter: (call, arg, handle, first) => {
      if (!this.asking) this.enter(call, arg, handle, first)
    },
    leave: (call, result, handle) => {
      if (!this.asking) this.leave(call, result, handle)
    },
    callback: (reason, fd, data, handle) => this.callback(reason, fd, data, handle),
    returned: (reason, fd) => this.log.add('returned', reason, fd),
  }

  private enter(call: string, arg: unknown, handle: object, first: unknown): void {
    const { scene } = this
    const context = scene.contextOf(handle)
    const frame = scene.push()
    frame.context = context
    frame.call = call
    frame.arg = arg
    frame.first = first
    frame.outermost = context.depth === 0
    frame.inAnnouncement = context.announcing > 0
    frame.sendsBefore = 0
    frame.wasClosed = false
    if (frame.outermost) {
      scene.callNo += 1
      context.beginCall(call, scene.callNo)
      context.progressAtEntry = scene.progress
      if (call === 'serviceFd') beginService(scene, context, arg as Pollfd | null)
    }
    context.depth += 1
    const pollfd = arg as Partial<Pollfd> | null | undefined
    if (typeof arg === 'number') {
      this.log.add(call, arg)
      const facts = scene.fds.get(arg)
      if (facts !== undefined && facts.touchedIn === context.callNo) frame.sendsBefore = facts.sends
      frame.wasClosed = facts?.status === Status.CLOSED
    } else this.log.add(call, pollfd?.fd ?? NONE, pollfd?.revents ?? NONE)
    for (const rule of this.at.enter) {
      const broken = rule.enter(scene, frame)
      if (broken !== undefined) this.report(rule, broken)
    }
    if (frame.outermost && context.pollfd !== null) this.service(context)
    if (call === 'contextDestroy') context.destroyAsked = true
    if (call === 'detachSocket' && typeof arg === 'number') {
      const facts = scene.fds.get(arg)
      if (facts !== undefined) facts.detached = true
    }
  }

  /** The host services a descriptor. */
  private service(context: ContextFacts): void {
    const { scene } = this
    for (const rule of this.at.service) {
      const broken = rule.service(scene, context)
      if (broken !== undefined) this.report(rule, broken)
    }
    applyService(scene, context)
  }

  private leave(call: string, result: unknown, handle: object): void {
    const { scene } = this
    let frame = scene.pop()
    while (frame !== undefined && (frame.call !== call || frame.context.handle !== handle)) {
      frame.context.depth -= 1
      frame = scene.pop()
    }
    if (frame === undefined) return
    const { context } = frame
    context.depth -= 1
    this.log.end(call, result)
    for (const rule of this.at.leave) {
      const broken = rule.leave(scene, frame, result)
      if (broken !== undefined) this.report(rule, broken)
    }
    applyAnswer(scene, frame, result)
    if (frame.outermost) this.exit(context, result)
  }

  private exit(context: ContextFacts, result: unknown): void {
    const { scene } = this
    for (const facts of context.touched) noteBudget(scene, facts)
    context.promisedMs = context.destroyed ? null : scene.ask.deadline(context.handle)
    for (const rule of this.at.exit) {
      const broken = rule.exit(scene, context, result)
      if (broken !== undefined) this.report(rule, broken)
    }
    for (const facts of context.touched) {
      for (const rule of this.at.settled) {
        const broken = rule.settled(scene, facts, result)
        if (broken !== undefined) this.report(rule, broken)
      }
    }
    if (context.destroyAsked) context.destroyed = true
    if (context.stillborn) context.destroyed = true
    if (context.destroyed) context.promisedMs = null
    const { serviced } = context
    if (serviced !== undefined) endService(scene, context, serviced, result)
    if (result === undefined && context.call === 'serviceFd') scene.batchAborted = true
  }

  private callback(reason: number, fd: number, data: unknown, handle: object): void {
    const { scene } = this
    this.log.add('callback', reason, fd)
    // The announcements' own reasons go with the announcements.
    if (reason >= Reason.ADD_POLL_FD && reason <= Reason.CLEAR_MODE_POLL_FD) return
    const context = scene.contextOf(handle)
    const facts = scene.fds.get(fd)
    for (const rule of this.at.callback) {
      const broken = rule.callback(scene, context, reason, facts, data)
      if (broken !== undefined) this.report(rule, broken)
    }
    scene.progress += 1
    context.callbacks += 1
    if (facts === undefined) return
    scene.touch(facts)
    applyCallback(context, reason, facts, data)
  }

  private applyChange(change: PollChange, live: FdFacts | undefined): FdFacts {
    const { scene } = this
    const context = scene.contextOf(change.context)
    let facts = live
    if (facts === undefined || facts.status === Status.CLOSED || facts.context !== context) {
      facts = new FdFacts(change.fd, scene.newListeners.delete(change.fd), context, live)
      scene.fds.set(change.fd, facts)
    }
    scene.touch(facts)
    scene.progress += 1
    context.lastSeq = change.seq
    context.announcements += 1
    // A change arms an edge anew: what is ready then is told again.
    scene.owed.delete(facts)
    facts.strayServices = 0
    facts.servicesAtZero = 0
    facts.errorsAtZero = 0
    facts.changedInBatch = scene.batchNo
    if (change.op === 'ADD') {
      facts.status = Status.ANNOUNCED
      facts.gen = change.gen
      facts.lastServiceNo = scene.serviceNo
      context.live.add(facts)
      scene.liveGens.add(genKey(change.fd, change.gen))
      scene.issuedGens.delete(change.gen)
    } else if (change.op === 'DEL') {
      this.forget(facts)
      facts.status = Status.DELETED
      facts.deletedInBatch = scene.batchNo
      context.ending = facts
      if (!facts.listener && !facts.attempt) context.ends += 1
    } else {
      context.settling = true
      if (change.op === 'SET') facts.setBits |= change.bits
      else facts.clearBits |= change.bits
    }
    facts.mask = change.next
    return facts
  }

  private refuse(facts: FdFacts): void {
    this.forget(facts)
    facts.status = Status.OPEN
    facts.refused = true
    facts.mask = 0
    if (facts.context.call === 'createContext') facts.context.stillborn = true
  }

  private forget(facts: FdFacts): void {
    facts.context.live.delete(facts)
    this.scene.liveGens.delete(genKey(facts.fd, facts.gen))
    this.scene.owed.delete(facts)
  }

  private report(rule: Rule, broken: string): void {
    if (this.violations.length === MAX_VIOLATIONS) return
    const { id, sentence } = rule
    if (this.excused?.(id) === true) return
    const violation = { rule: id, sentence, detail: broken, calls: this.log.lines() }
    this.violations.push(violation)
    this.onViolation?.(violation)
  }
}

const sorted = new WeakMap<readonly Rule[], RulesByStage>()

/** Sorted once: a swarm makes many checkers of the same rules. */
function byStage(rules: readonly Rule[]): RulesByStage {
  const known = sorted.get(rules)
  if (known !== undefined) return known
  const at = {
    announce: having(rules, 'announce'),
    timeout: having(rules, 'timeout'),
    io: having(rules, 'io'),
    ioResult: having(rules, 'ioResult'),
    enter: having(rules, 'enter'),
    service: having(rules, 'service'),
    leave: having(rules, 'leave'),
    exit: having(rules, 'exit'),
    settled: having(rules, 'settled'),
    callback: having(rules, 'callback'),
    clock: having(rules, 'clock'),
    entropy: having(rules, 'entropy'),
    wait: having(rules, 'wait'),
  }
  sorted.set(rules, at)
  return at
}

function having<S extends Stage>(rules: readonly Rule[], stage: S): readonly Having<S>[] {
  return rules.filter((rule): rule is Having<S> => rule[stage] !== undefined)
}
