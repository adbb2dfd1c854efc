/**
 * Misuse from JavaScript: no value, in the place of any argument of any function, ends the process,
 * is answered without a code and a sentence, leaves a descriptor, or costs others their turn.
 *
 * In processes of their own, so that a signal is seen. What is there to misuse is asked of the
 * modules themselves: an export without a row fails.
 */
import assert from 'node:assert/strict'
import { patience, sanitized } from './support/effort.js'
import { needsAddon, runChildWell, temporaryFolder } from './support/epoll-addon.js'

describe('68 misuse', () => {
  needsAddon()

  const all = [
    ['every function of the addon', 'native'],
    ['every export of extpoll/epoll, and every method of what they answer', 'surface'],
    ['every export of extpoll', 'core'],
  ] as const

  // The last one's host is in memory: there is nothing of the addon in it.
  for (const [what, mode] of sanitized ? all.slice(0, 2) : all) {
    it(`survives every hostile value as every argument of ${what}`, async function () {
      this.timeout(patience(60_000))
      const folder = temporaryFolder()
      try {
        const { stdout } = await runChildWell('./epoll-abuse-child.ts', [folder.path, mode])
        const { rows, values, calls, echoes } = JSON.parse(stdout) as Record<string, number>
        assert.ok(values! >= 40, `only ${values} hostile values`)
        assert.ok(calls! > values! * rows!, `only ${calls} calls for ${rows} functions`)
        assert.equal(echoes, calls)
      } finally {
        folder.remove()
      }
    })
  }
})
