/**
 * The page of the simulation is true: its programs run, and its table is the table of the rules.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { rules } from '../integrations/simulation/checker-rules.js'

const page = new URL('../integrations/simulation/README.md', import.meta.url)
const text = readFileSync(page, 'utf8')
const outFolder = new URL('.out/', import.meta.url)

/** What a user imports by name is here where it is written. */
const places: readonly (readonly [name: string, place: string])[] = [
  ["'extpoll/fake-poller'", '../integrations/fake-poller.js'],
  ["'extpoll'", '../src/index.js'],
]

describe('52 the page of the simulation', () => {
  const programs = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program]) => program ?? '')

  it('has programs', () => assert.equal(programs.length, 3))

  for (const [index, program] of programs.entries()) {
    it(`runs program ${index + 1}: ${program.split('\n').at(-2) ?? ''}`, async () => {
      mkdirSync(outFolder, { recursive: true })
      let source = program
      for (const [name, place] of places) {
        source = source.replaceAll(name, JSON.stringify(new URL(place, import.meta.url).href))
      }
      const file = new URL(`simulation-readme-${index + 1}.mts`, outFolder)
      writeFileSync(file, source)
      await import(file.href)
    })
  }

  it('lists each rule that the checker reports, and no other', () => {
    const listed = [...text.matchAll(/^\| ([CH]\d+) \| (.*) \|$/gm)].map(
      ([, id, sentence]) => `${id ?? ''} ${(sentence ?? '').replaceAll('\\|', '|')}`,
    )
    const reported = rules.map(({ id, sentence }) => `${id} ${sentence}`)
    assert.deepEqual(listed.sort(), reported.sort())
  })
})
