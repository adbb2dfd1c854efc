/**
 * The types say what the docs say: the programs of test/types compile, and each line marked there
 * as an error is one.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './support/programs.js'
import { typeCheck } from './support/type-check.js'

const folder = join(projectRoot, 'test/types')
const files = readdirSync(folder).filter((file) => file.endsWith('.ts'))

describe('72 types', function () {
  this.timeout(60_000)
  let found: Record<string, string[]> = {}

  before(() => {
    found = typeCheck(files.map((file) => join(folder, file)))
  })

  for (const file of files)
    it(`${file} compiles`, () => assert.deepEqual(found[join(folder, file)] ?? [], []))

  it('says why each line that must not compile does not', () => {
    let count = 0
    for (const file of files) {
      const text = readFileSync(join(folder, file), 'utf8')
      for (const [line] of text.matchAll(/^ *\/\/ @ts-expect-error.*$/gm)) {
        assert.match(line, /@ts-expect-error: .{10}/, file)
        count++
      }
    }
    assert.ok(count >= 40, `there are ${count}`)
  })
})
