/**
 * Every test that made a checker ends with it clean, or fails: shown by a run of its own.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const program = `
import { forgive, watchOver } from '../support/clean-checkers.js'

const dirty = {
  violations: [],
  assertClean() {
    throw new Error('C3: broken')
  },
}

it('sync', () => watchOver(dirty))
it('promised', async () => watchOver(dirty))
it('with done', (done) => {
  watchOver(dirty)
  setImmediate(done)
})
it('failed itself', () => {
  watchOver(dirty)
  throw new Error('its own reason')
})
it('forgiven', () => {
  watchOver(dirty)
  forgive(dirty)
})
it('clean, and run after all that', () => undefined)
`

interface Test {
  readonly file: string
  readonly title: string
  readonly err: { readonly message: string }
}

interface Report {
  readonly passes: readonly Test[]
  readonly failures: readonly Test[]
}

describe('50 a test with a checker that is not clean', () => {
  it('fails, says which rule was broken, and lets the run go on', function () {
    this.timeout(30_000)
    const folder = new URL('.out/', import.meta.url)
    // Four, so that one of two processes runs several, as `make test` does.
    const names = [1, 2, 3, 4].map((number) => `dirty-checkers-${number}.ts`)
    const files = names.map((name) => fileURLToPath(new URL(name, folder)))
    mkdirSync(folder, { recursive: true })
    for (const file of files) writeFileSync(file, program)
    const mocha = fileURLToPath(new URL('../node_modules/mocha/bin/mocha.js', import.meta.url))
    const args = [mocha, '--reporter', 'json', '--parallel', '--jobs', '2', ...files]
    const run = spawnSync(process.execPath, args, { encoding: 'utf8' })
    const report = JSON.parse(run.stdout) as Report
    for (const file of files) {
      const ofFile = (test: Test): boolean => test.file === file
      assert.deepEqual(
        report.passes.filter(ofFile).map(({ title }) => title),
        ['forgiven', 'clean, and run after all that'],
      )
      assert.deepEqual(
        report.failures.filter(ofFile).map(({ title, err }) => [title, err.message]),
        [
          ['sync', 'C3: broken'],
          ['promised', 'C3: broken'],
          ['with done', 'C3: broken'],
          ['failed itself', 'its own reason\n\nand a rule of the contract was broken:\nC3: broken'],
        ],
      )
    }
  })
})
