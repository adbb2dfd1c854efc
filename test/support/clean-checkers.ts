/**
 * Every checker made in a test must be clean when the test ends; one that is not fails that test,
 * not a hook, so that the run goes on.
 *
 * Importing this file is enough.
 */
import type { CheckedHost, MisuseError } from '../../integrations/fake-poller.js'
import { beforeEveryTest } from './every-test.js'

interface Watched {
  readonly violations: CheckedHost['violations']
  assertClean(): void
}

const watched = new Set<Watched>()

/** Asserts this checker clean at the end of the test at hand. */
export function watchOver(checker: Watched): void {
  watched.add(checker)
}

/** The same for what the library did to a fake kernel that no correct program does. */
export function watchOverMisuses(poller: { readonly misuses: readonly MisuseError[] }): void {
  watched.add({
    violations: [],
    assertClean() {
      const [first] = poller.misuses
      if (first !== undefined) throw first
    },
  })
}

/** For a test that breaks a rule on purpose. */
export function forgive(checker: Watched): void {
  watched.delete(checker)
}

function assertAllClean(): void {
  const all = [...watched]
  watched.clear()
  for (const checker of all) checker.assertClean()
}

/**
 * Runs the check at the end of a test's own function, whose failure it explains where both fail.
 */
function explain(error: unknown): unknown {
  try {
    assertAllClean()
    return error
  } catch (broken) {
    if (error === undefined) return broken
    const parts = [error, broken].map((e) => (e instanceof Error ? e.message : String(e)))
    return new Error(parts.join('\n\nand a rule of the contract was broken:\n'), { cause: error })
  }
}

beforeEveryTest(function () {
  watched.clear()
  const test = this.currentTest
  const body = test?.fn
  if (test === undefined || body === undefined || body === null) return
  if (body.length > 0) {
    const withDone = body as (this: Mocha.Context, done: Mocha.Done) => void
    test.fn = function (this: Mocha.Context, done: Mocha.Done) {
      withDone.call(this, (error?: unknown) => done(explain(error)))
    }
    return
  }
  const plain = body as (this: Mocha.Context) => unknown
  test.fn = function (this: Mocha.Context) {
    let result: unknown
    try {
      result = plain.call(this)
    } catch (error) {
      throw explain(error)
    }
    if (result instanceof Promise) return checkLater(result)
    const broken = explain(undefined)
    if (broken !== undefined) throw broken
    return undefined
  }
})

async function checkLater(result: Promise<unknown>): Promise<void> {
  let failure: unknown
  try {
    await result
  } catch (error) {
    failure = error
  }
  const broken = explain(failure)
  if (broken !== undefined) throw broken
}
