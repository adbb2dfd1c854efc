/**
 * What runs before and after every test of the run, said by the modules that need it.
 *
 * Mocha takes `mochaHooks` for each file; a hook at the top of a module would be that of one file
 * alone, the first that imports it, wherever one process runs several files in parallel mode.
 */
import { sanitized } from './effort.js'

type Hook = (this: Mocha.Context) => void | Promise<void>

/** What a test allows itself holds for a machine that does not look at each access to memory. */
const SANITIZED_TIMES = 8

const before = new Set<Hook>()
const after = new Set<Hook>()

export function beforeEveryTest(hook: Hook): void {
  before.add(hook)
}

export function afterEveryTest(hook: Hook): void {
  after.add(hook)
}

export const mochaHooks = {
  async beforeEach(this: Mocha.Context): Promise<void> {
    const { currentTest } = this
    if (sanitized) currentTest?.timeout(currentTest.timeout() * SANITIZED_TIMES)
    for (const hook of before) await hook.call(this)
  },

  async afterEach(this: Mocha.Context): Promise<void> {
    for (const hook of after) await hook.call(this)
  },
}
