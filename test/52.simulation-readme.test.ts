/**
 * The page of the simulation is true: its programs run, its ten minutes go as it says, and its
 * tables are those of the rules and of the faults.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { faultTable } from '../integrations/simulation/faults/fault-table.js'
import { rules } from '../integrations/simulation/checker-rules.js'
import { temporaryFolder } from './support/epoll-addon.js'
import { projectRoot } from './support/programs.js'

const page = new URL('../integrations/simulation/README.md', import.meta.url)
const text = readFileSync(page, 'utf8')
const outFolder = new URL('.out/', import.meta.url)

/** What a user imports by name is here where it is written. */
const places: readonly (readonly [name: string, place: string])[] = [
  ["'extpoll/fake-poller'", '../integrations/fake-poller.js'],
  ["'extpoll'", '../src/index.js'],
]

/** A reader's folder: extpoll and mocha are installed there, and nothing else. */
class Reader {
  private readonly folder = temporaryFolder()
  /** What the last command printed, and whether it went well. */
  printed = ''
  succeeded = true
  /** The seed that failed here, where the page says 58. */
  private failedSeed = '58'

  constructor() {
    const modules = join(this.folder.path, 'node_modules')
    mkdirSync(modules)
    symlinkSync(projectRoot, join(modules, 'extpoll'))
    this.write('package.json', '{ "type": "module" }')
  }

  /** Writes the file that the first line of a program names. */
  save(program: string): void {
    const [, name] = /^\/\/ (\S+)\n/.exec(program) ?? []
    this.write(name ?? assert.fail(`a program without a file's name: ${program}`), program)
  }

  run(command: string): void {
    const [, args = ''] = /^npx mocha ?(.*)$/.exec(command) ?? assert.fail(command)
    const own = args.replaceAll("'", '').replace('58', this.failedSeed).split(' ').filter(Boolean)
    const mocha = join(projectRoot, 'node_modules/mocha/bin/mocha.js')
    const plain = [mocha, '--no-config', '--no-color']
    const { stdout, status } = spawnSync(process.execPath, [...plain, ...own], {
      cwd: this.folder.path,
      encoding: 'utf8',
    })
    this.printed = stdout
    this.succeeded = status === 0
    const [, seed] = /seed (\d+) failed/.exec(stdout) ?? []
    if (!own.includes('-g') && seed !== undefined) this.failedSeed = seed
  }

  /** Each line that the page shows was printed, numbers apart, in this order. */
  sees(shown: string): void {
    let rest = withoutNumbers(this.printed)
    for (const line of shown.trim().split('\n').map(withoutNumbers)) {
      const at = rest.indexOf(line)
      assert.ok(at >= 0, `not printed: ${line}\n${this.printed}`)
      rest = rest.slice(at + line.length)
    }
  }

  leave(): void {
    this.folder.remove()
  }

  private write(name: string, content: string): void {
    const file = join(this.folder.path, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
}

/** Times, seeds and descriptors differ from one version to the next; so does how they line up. */
function withoutNumbers(line: string): string {
  return line
    .replace(/\d+(?:\.\d+)?/g, 'N')
    .replace(/[ \t]+/g, ' ')
    .trim()
}

describe('52 the page of the simulation', () => {
  const programs = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program]) => program ?? '')

  it('has programs', () => assert.equal(programs.length, 2))

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

  it('takes a reader from nothing to a race caught, replayed and mended', function () {
    this.timeout(60_000)
    const reader = new Reader()
    const outcomes: boolean[] = []
    try {
      for (const [, language, block = ''] of text.matchAll(/^```(js|sh|text)\n(.*?)^```$/gms)) {
        if (language === 'js') reader.save(block)
        else if (language === 'text') reader.sees(block)
        else if (!block.startsWith('npm ')) {
          reader.run(block.trim())
          outcomes.push(reader.succeeded)
        }
      }
      // The last of its programs is followed by no command.
      reader.run('npx mocha test/world.test.js')
      assert.match(reader.printed, /3 passing/)
      assert.deepEqual(outcomes, [true, false, false, true])
    } finally {
      reader.leave()
    }
  })

  it('lists each rule that the checker reports, and no other', () => {
    const listed = [...text.matchAll(/^\| ([CH]\d+) \| (.*) \|$/gm)].map(
      ([, id, sentence]) => `${id ?? ''} ${(sentence ?? '').replaceAll('\\|', '|')}`,
    )
    const reported = rules.map(({ id, sentence }) => `${id} ${sentence}`)
    assert.deepEqual(listed.sort(), reported.sort())
  })

  it('lists each kind of fault, by group, and no other', () => {
    const [, table = ''] = /\| group \| kinds \|\n\|[- |]+\n((?:\|.*\n)+)/.exec(text) ?? []
    const listed = [...table.matchAll(/^\| (.+?) \| (.+) \|$/gm)].flatMap(([, group, kinds = '']) =>
      [...kinds.matchAll(/`([^`]+)`/g)].map(([, kind]) => `${group}: ${kind}`),
    )
    assert.deepEqual(
      listed,
      faultTable.map(({ group, name }) => `${group}: ${name}`),
    )
  })
})
