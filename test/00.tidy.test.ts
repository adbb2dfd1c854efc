/**
 * The rules of the tree, each a file of test/tidy/: first on samples that show it can fail, then
 * on the project itself. No rule here knows another.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closedWorldRule } from './tidy/closed-world.js'
import { contractIdsRule } from './tidy/contract-ids.js'
import { cyclesRule } from './tidy/cycles.js'
import { docLinksRule } from './tidy/doc-links.js'
import { layersRule } from './tidy/layers.js'
import { leftoversRule } from './tidy/leftovers.js'
import { lengthsRule } from './tidy/lengths.js'
import { mutantsRule } from './tidy/mutants.js'
import { projectRoot, readProjectFiles } from './tidy/project-files.js'
import { formatFinding, type TidyRule } from './tidy/tidy-rule.js'

const rules: readonly TidyRule[] = [
  layersRule,
  cyclesRule,
  closedWorldRule,
  lengthsRule,
  contractIdsRule,
  leftoversRule,
  docLinksRule,
  mutantsRule,
]

describe('00 tidy', function () {
  this.timeout(60_000)
  const files = readProjectFiles()

  for (const rule of rules) {
    describe(`the tree ${rule.name}`, () => {
      it('refuses what it should, and nothing else', () => {
        for (const { why, files: bad } of rule.refuses) {
          assert.notDeepEqual(rule.check(bad), [], `should refuse: ${why}`)
        }
        for (const { why, files: good } of rule.accepts) {
          assert.deepEqual(rule.check(good).map(formatFinding), [], `should accept: ${why}`)
        }
      })

      it('holds for the project', () => {
        const findings = rule.check(files).map(formatFinding)
        if (findings.length > 0) assert.fail(['', ...findings].join('\n      '))
      })
    })
  }

  describe('the library at run time', () => {
    const runChild = (...mode: string[]): string =>
      execFileSync(
        process.execPath,
        ['--import', 'tsx', 'test/tidy/closed-world-child.ts', ...mode],
        { cwd: projectRoot, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      )

    it('touches no clock, timer, promise, chance or console in use (C24)', () => {
      assert.equal(runChild(), 'untouched\n')
    })

    it('would be caught at each of them', () => {
      assert.equal(runChild('--touch'), 'unseen: none\n')
    })
  })
})
