// Mocha's spec reporter, and after it: what was skipped in one line each, and, where
// EXTPOLL_TEST_TOTALS names a file, one line of JSON with the totals and the time of each file.
//
// Knows nothing of what is tested.
import { appendFileSync } from 'node:fs'
import { relative } from 'node:path'
import Mocha from 'mocha'

const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_TEST_END, EVENT_TEST_PENDING, EVENT_TEST_RETRY } =
  Mocha.Runner.constants

/** Which file a test is in, as seen from here. */
function fileOf(test) {
  let suite = test.parent
  while (suite && !suite.file) suite = suite.parent
  const file = test.file ?? suite?.file
  return file ? relative(process.cwd(), file) : '(no file)'
}

export default class SpecWithTotals extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    const skipped = new Map()
    const milliseconds = {}
    runner.on(EVENT_TEST_PENDING, (test) => {
      const file = fileOf(test)
      skipped.set(file, (skipped.get(file) ?? 0) + 1)
    })
    // Their own durations: files that run side by side tell them all at once, each at its end.
    for (const event of [EVENT_HOOK_END, EVENT_TEST_END, EVENT_TEST_RETRY])
      runner.on(event, (runnable) => {
        const file = fileOf(runnable)
        milliseconds[file] = (milliseconds[file] ?? 0) + (runnable.duration ?? 0)
      })
    runner.once(EVENT_RUN_END, () => {
      for (const [file, count] of skipped) console.log(`  skipped: ${count} in ${file}`)
      const path = process.env.EXTPOLL_TEST_TOTALS
      if (!path) return
      const { passes, failures, pending } = this.stats
      appendFileSync(path, JSON.stringify({ passes, failures, pending, milliseconds }) + '\n')
    })
  }
}
