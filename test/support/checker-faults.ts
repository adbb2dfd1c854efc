/**
 * Faults of a library, each one act of a stand-in, and the proof that the checker reports each.
 */
import assert from 'node:assert/strict'
import { formatViolation } from '../../integrations/fake-poller.js'
import type { CheckerOptions } from '../../integrations/fake-poller.js'
import type { Rule } from '../../integrations/simulation/checker-rule.js'
import { POLLIN } from '../../src/index.js'
import type { Pollfd } from '../../src/index.js'
import { StandIn } from './stand-in.js'

export type Act = (s: StandIn) => unknown

export interface Fault {
  /** The id under which it must be reported first. */
  readonly rule: string
  readonly fault: string
  readonly act: Act
  readonly options: CheckerOptions
}

/** The first connection of a prepared stand-in, readable. */
export const READABLE: Pollfd = { fd: 4, revents: POLLIN, gen: 2 }

export function fault(rule: string, name: string, act: Act, options: CheckerOptions = {}): Fault {
  return { rule, fault: name, act, options }
}

/** A listener 3, and an established connection 4 that waits for POLLIN. */
export function prepared(options?: CheckerOptions): StandIn {
  const standIn = new StandIn(options).listen().open(4)
  assert.deepEqual(standIn.broken, [])
  return standIn
}

/** Inside some call of the application on connection 4. */
export function during(act: Act): Act {
  return (s) => s.call('hangup', 4, () => (act(s), true))
}

/** Inside a service of connection 4, or of what `pollfd` says, that answers 'handled'. */
export function serving(act: Act, pollfd: Pollfd | null = READABLE): Act {
  return (s) => s.service(pollfd, () => (act(s), 'handled'))
}

/** Inside a service of the listener. */
export function accepting(act: Act): Act {
  return serving(act, { fd: 3, revents: POLLIN, gen: 1 })
}

/** The same, again and again. */
export function times(count: number, act: Act): Act {
  return (s) => {
    for (let i = 0; i < count; i += 1) act(s)
  }
}

/** One test for each fault, and one that says that no rule of the table was left out. */
export function eachIsReported(faults: readonly Fault[], rules: readonly Rule[]): void {
  const reported = new Set<string>()
  for (const { rule, fault: name, act, options } of faults) {
    it(`${rule} ${name}`, () => {
      const standIn = prepared(options)
      act(standIn)
      const [first] = standIn.checker.violations
      assert.equal(first?.rule, rule, first === undefined ? 'clean' : formatViolation(first))
      assert.throws(() => standIn.checker.assertClean(), new RegExp(`^Error: ${rule}: `))
      reported.add(first.sentence)
    })
  }
  it('leaves no rule of its table out', () => {
    const left = rules.filter(({ sentence }) => !reported.has(sentence))
    assert.deepEqual(
      left.map(({ id, sentence }) => `${id} ${sentence}`),
      [],
    )
  })
}
