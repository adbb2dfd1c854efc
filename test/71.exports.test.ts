/**
 * The reference page and the code say the same, both ways: exports, reasons, faults, usage errors,
 * limits, and the seed's names.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { faults, limits, Reason } from '../src/index.js'
import { codeSpans, readPage } from './support/pages.js'
import { projectRoot } from './support/programs.js'
import { entryPoints, publicSurface } from './support/public-surface.js'
import { readProjectFiles } from './tidy/project-files.js'

const PAGE = 'src/API.md'
const { prose, rows } = readPage(PAGE)
const sources = readProjectFiles().filter(({ path }) =>
  /^(?:src|integrations)\/.*\.(?:ts|cc|h)$/.test(path),
)

/** The rows beneath a heading `## title`, those of its subheadings included. */
function rowsUnder(title: string): readonly (readonly string[])[] {
  const headings: string[] = []
  let inside = false
  for (const [, marks, heading] of prose.matchAll(/^(#+) (.+)$/gm)) {
    if (marks === '##') inside = heading === title
    if (inside) headings.push(heading!)
  }
  assert.notEqual(headings.length, 0, `${PAGE} has no heading ${title}`)
  return rows.filter(({ heading }) => headings.includes(heading)).map(({ cells }) => cells)
}

/** The names in the first column: `write(wsi, data, kind)` is `write`. */
function namesUnder(title: string): string[] {
  return rowsUnder(title).flatMap(([first = '']) =>
    codeSpans(first).map((span) => span.replace(/\(.*$/, '')),
  )
}

function assertSameNames(documented: readonly string[], there: Iterable<string>): void {
  const twice = documented.filter((name, index) => documented.indexOf(name) !== index)
  assert.deepEqual(twice, [], 'documented twice')
  assert.deepEqual([...documented].sort(), [...there].sort())
}

const grouped = (value: number): string => value.toLocaleString('en-US')

describe('71 the reference', () => {
  describe('lists what each entry point exports, and nothing else', function () {
    this.timeout(60_000)
    for (const { name } of entryPoints()) {
      it(name, () => assertSameNames(namesUnder(name), publicSurface().exports.get(name) ?? []))
    }
  })

  it('says something of each name', () => {
    for (const { name } of entryPoints())
      for (const [names, what] of rowsUnder(name)) assert.ok(what, `${names} has no sentence`)
  })

  describe('lists each option of', function () {
    this.timeout(60_000)
    for (const [title, type] of [
      ['createContext', 'ContextOptions'],
      ['clientConnect', 'ClientOptions'],
      ['defineProtocol', 'ProtocolOptions'],
      ['epollHost', 'EpollHostOptions'],
      ['Poller', 'PollerOptions'],
      ['attach', 'AttachOptions'],
      ['serveHttpFile', 'ServeFileOptions'],
    ] as const) {
      it(title, () => {
        const documented = rows
          .filter(({ heading }) => heading === title)
          .flatMap(({ cells }) => codeSpans(cells[0]!))
        const there = publicSurface().members.get(type) ?? assert.fail(type)
        assertSameNames(
          documented,
          [...there].filter((name) => !(name in limits)),
        )
      })
    }
  })

  it('lists each reason with its number', () => {
    const documented = rowsUnder('Reasons').map(([name, number]) => `${name} ${number}`)
    const there = Object.entries(Reason).map(([name, number]) => `\`${name}\` ${number}`)
    assert.deepEqual(documented, there)
  })

  it('shows the table of faults as it is', () => {
    const there = Object.entries(faults).map(([name, { status, closeCode, source, sentence }]) => {
      return [`\`${name}\``, String(status ?? closeCode), source, sentence]
    })
    assert.deepEqual(rowsUnder('Faults'), there)
  })

  it('shows the table of limits as it is', () => {
    const there = Object.entries(limits).map(([name, { default: fallback, min, max, why }]) => {
      return [`\`${name}\``, grouped(fallback), `${grouped(min)} to ${grouped(max)}`, why]
    })
    assert.deepEqual(rowsUnder('Limits'), there)
  })

  it('lists each code of a UsageError that the sources know, in order', () => {
    const codes = sources.flatMap(({ text }) => text.match(/\bERR_EXTPOLL_[A-Z_]*[A-Z]\b/g) ?? [])
    const documented = namesUnder('Usage errors')
    assertSameNames(documented, new Set(codes))
    assert.deepEqual(documented, [...documented].sort(), 'not in order')
  })

  it('says what each usage error means', () => {
    for (const [code, when] of rowsUnder('Usage errors')) assert.ok(when, `${code} says nothing`)
  })

  it("names the seed's counterpart wherever a docstring does", () => {
    const seed = /seed:\s(?:\s|\*|struct )*(libwebsockets?_\w+)/g
    for (const { path, text } of sources) {
      for (const [, name] of text.matchAll(seed))
        assert.ok(prose.includes(`\`${name}\``) || prose.includes(` ${name}\``), `${path}: ${name}`)
    }
  })
})

describe('71 every fault', () => {
  it('has a sentence that fits a close reason, and one of the two numbers', () => {
    for (const [name, { sentence, status, closeCode }] of Object.entries(faults)) {
      assert.ok(Buffer.byteLength(sentence) <= 123, name)
      assert.equal(status === undefined, closeCode !== undefined, name)
    }
  })

  it('whose source is a limit names one that is there', () => {
    for (const [name, { source }] of Object.entries(faults))
      if (/^[a-z]+[A-Z]\w+(?:Ms|Bytes|s)$/.test(source))
        assert.ok(source in limits, `${name}: ${source}`)
  })
})

describe('71 the other pages', () => {
  it('import only what the package exports', () => {
    const names = entryPoints().map(({ name }) => name)
    for (const path of [
      'README.md',
      PAGE,
      'integrations/README.md',
      'src/README.md',
      'integrations/streams/README.md',
    ])
      for (const [, name] of readPage(path).text.matchAll(/from '(extpoll[\w/-]*)'/g))
        assert.ok(names.includes(name!), `${path}: ${name}`)
  })

  it('integrations/README.md: each trap names a test that is there', () => {
    const traps = readPage('integrations/README.md').rows.filter((row) => row.heading === 'Traps')
    assert.ok(traps.length >= 8)
    for (const { cells } of traps) {
      const [, file, title] = /^`([\w.-]+)`: (.+)$/.exec(cells[3]!) ?? assert.fail(cells[3])
      const text = readFileSync(`${projectRoot}test/${file}.test.ts`, 'utf8')
      assert.ok(text.includes(title!), `test/${file}.test.ts has no test: ${title}`)
    }
  })

  it('src/README.md: each file and name it speaks of is there', () => {
    const paths = sources.map(({ path }) => path.replace('src/', ''))
    const all = sources.map(({ text }) => text).join('\n')
    for (const span of codeSpans(readPage('src/README.md').prose)) {
      if (/^[\w/-]+\.ts$/.test(span)) {
        const there = paths.some((path) => path === span || path.endsWith(`/${span}`))
        assert.ok(there || existsSync(projectRoot + span), span)
      } else if (/^(?:[A-Z]\w+\.|io\.|core\.)?[a-z]+[A-Z]\w*(?:\(.*\))?$/.test(span)) {
        const name = span.replace(/\(.*$/, '').split('.').at(-1)!
        assert.match(all, new RegExp(`\\b${name}\\b`), span)
      }
    }
  })

  it('src/README.md: the layers are those of src/', () => {
    const rows = readPage('src/README.md').rows.filter(({ heading }) => heading === 'The layers')
    const named = rows.map(({ cells }) => codeSpans(cells[0]!)[0]!.replace(/\/$/, ''))
    const there = sources
      .filter(({ path }) => path.startsWith('src/'))
      .map(({ path }) => path.split('/')[1]!)
    assert.deepEqual(named.sort(), [...new Set(there)].sort())
  })
})
