/**
 * The rules of serving files, each by itself: paths, tags, dates, ranges, codings, types.
 *
 * Tables of what comes and what follows from it. No file, no connection.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { formatHttpDate } from '../src/wire/http-date.js'
import { selectRanges } from '../src/http/byte-ranges.js'
import { acceptedCodings } from '../src/http/content-coding.js'
import { contentTypeOf } from '../src/http/content-type.js'
import { entityTagOf, listHasTag } from '../src/http/entity-tag.js'
import { parseHttpDate } from '../src/http/parse-http-date.js'
import { namesDotFile, pathOfTarget } from '../src/http/target-path.js'

const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0)

describe('34 files: paths from request targets', () => {
  const rows: readonly (readonly [target: string, path: string | null])[] = [
    ['/', ''],
    ['/a.txt', 'a.txt'],
    ['/a/b/', 'a/b/'],
    ['/a.txt?x=/../y', 'a.txt'],
    ['/?x', ''],
    ['/a%20b.txt', 'a b.txt'],
    ['/%C3%A4.txt', 'ä.txt'],
    ['/a+b', 'a+b'],
    ['/%3Fa%23b', '?a#b'],
    ['/...', '...'],
    ['/..a/b..', '..a/b..'],
    ['//etc//passwd', 'etc/passwd'],
    ['http://host.example/a?b', 'a'],
    ['HTTPS://host.example', ''],
    ['http://host.example?x', ''],
    ['/..', null],
    ['/a/../b', null],
    ['/a/./b', null],
    ['/.', null],
    ['/%2e%2e/secret', null],
    ['/%2E./secret', null],
    ['/a/..%2fsecret', null],
    ['/a%2Fb', null],
    ['/a%00.txt', null],
    ['/a%5cb', null],
    ['/a\\..\\b', null],
    ['/a#b', null],
    ['/%', null],
    ['/%4', null],
    ['/%zz', null],
    ['/%ff', null],
    ['/%c0%ae%c0%ae/secret', null],
    ['/%ed%a0%80', null],
    ['*', null],
    ['', null],
    ['a.txt', null],
    ['host.example:443', null],
    ['ftp://host.example/a', null],
  ]
  for (const [target, path] of rows)
    it(`${JSON.stringify(target)} is ${path === null ? 'refused' : JSON.stringify(path)}`, () => {
      assert.equal(pathOfTarget(target), path)
    })

  it('nothing that comes out leads up, begins at the root, or holds a NUL', () => {
    const piece = fc.constantFrom('/', '.', '..', '%2e', '%2f', '%5c', '\\', '%00', 'a', '?', '%')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const path = pathOfTarget(`/${pieces.join('')}`)
        if (path === null) return
        assert.ok(!path.startsWith('/') && !path.includes('\0') && !path.includes('\\'), path)
        assert.ok(!path.split('/').some((name) => name === '.' || name === '..'), path)
      }),
      { numRuns: 2_000 },
    )
  })

  it('a dot-file is one at any depth', () => {
    const names = ['.env', 'a/.git/config', '.well-known/x', 'a.b', 'a/b.c', 'a../b', '']
    assert.deepEqual(names.map(namesDotFile), [true, true, true, false, false, false, false])
  })
})

describe('34 files: entity tags', () => {
  const file = { sizeBytes: 1024, modifiedMs: 1_000_000.5, inode: 77 } as const
  const info = { ...file, regular: true, directory: false }

  it('tell size, time and inode apart', () => {
    const tags = [
      info,
      { ...info, sizeBytes: 1025 },
      { ...info, modifiedMs: 1_000_000.501 },
      { ...info, inode: 78 },
    ].map((row) => entityTagOf(row, NOW_MS))
    assert.equal(new Set(tags).size, 4)
    for (const tag of tags) assert.match(tag, /^"[0-9a-z-]+"$/)
    assert.equal(entityTagOf({ ...info }, NOW_MS + 1), tags[0])
  })

  it('are weak until the last change is two seconds ago, and else the same', () => {
    const strong = entityTagOf(info, NOW_MS)
    assert.equal(entityTagOf(info, info.modifiedMs + 2_000), strong)
    assert.equal(entityTagOf(info, info.modifiedMs + 1_999), `W/${strong}`)
    assert.equal(entityTagOf(info, info.modifiedMs - 5_000), `W/${strong}`)
  })

  const rows: readonly (readonly [list: string, tag: string, strong: boolean, weak: boolean])[] = [
    ['"a"', '"a"', true, true],
    ['"b"', '"a"', false, false],
    ['"b", "a"', '"a"', true, true],
    [' , "b" ,, "a",', '"a"', true, true],
    ['"b","a"', '"a"', true, true],
    ['W/"a"', '"a"', false, true],
    ['"a"', 'W/"a"', false, true],
    ['W/"a"', 'W/"a"', false, true],
    ['w/"a"', '"a"', false, false],
    ['*', '"a"', true, true],
    [' * ', 'W/"a"', true, true],
    ['"*"', '"a"', false, false],
    ['a', '"a"', false, false],
    ['"a', '"a"', false, false],
    ['"b" "a"', '"a"', false, false],
    ['"x,"a"', '"a"', false, false],
    ['"a,b", "c"', '"c"', true, true],
    ['', '"a"', false, false],
    ['"\u00e4", "a"', '"a"', true, true],
  ]
  for (const [list, tag, strong, weak] of rows)
    it(`${list} and ${tag}: strongly ${strong}, weakly ${weak}`, () => {
      assert.equal(listHasTag(list, tag, true), strong)
      assert.equal(listHasTag(list, tag, false), weak)
    })

  it('long lists are read in one pass', () => {
    const list = `${'"b",'.repeat(16_000)}"a"`
    assert.ok(listHasTag(list, '"a"', true))
    assert.ok(!listHasTag(' ,'.repeat(32_000), '"a"', true))
  })
})

describe('34 files: dates', () => {
  const expected = Date.UTC(1994, 10, 6, 8, 49, 37)
  const rows: readonly (readonly [text: string, ms: number | null])[] = [
    ['Sun, 06 Nov 1994 08:49:37 GMT', expected],
    ['Sunday, 06-Nov-94 08:49:37 GMT', expected],
    ['Sun Nov  6 08:49:37 1994', expected],
    ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
    ['Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Friday, 20-Nov-76 00:00:00 GMT', Date.UTC(2076, 10, 20)],
    ['Sunday, 20-Nov-77 00:00:00 GMT', Date.UTC(1977, 10, 20)],
    ['Wed, 29 Feb 2023 00:00:00 GMT', null],
    ['Sun, 29 Feb 1900 00:00:00 GMT', null],
    ['Sun, 00 Nov 1994 08:49:37 GMT', null],
    ['Sun, 31 Nov 1994 08:49:37 GMT', null],
    ['Sun, 06 Nov 1994 24:49:37 GMT', null],
    ['Sun, 06 Nov 1994 08:49:37 UTC', null],
    ['Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT', null],
    ['sun, 06 nov 1994 08:49:37 gmt', null],
    ['Sun, 6 Nov 1994 08:49:37 GMT', null],
    ['1994-11-06T08:49:37Z', null],
    ['784111777', null],
    ['', null],
  ]
  for (const [text, ms] of rows)
    it(`${JSON.stringify(text)} is ${ms === null ? 'no date' : ms}`, () => {
      assert.equal(parseHttpDate(text, NOW_MS), ms)
    })

  it('each second that can be written is read again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1000 }), (seconds) => {
        assert.equal(parseHttpDate(formatHttpDate(seconds * 1000), NOW_MS), seconds * 1000)
      }),
    )
  })
})

describe('34 files: ranges', () => {
  const rows: readonly (readonly [field: string, size: number, answer: string])[] = [
    ['bytes=0-0', 1000, '0-1'],
    ['bytes=0-499', 1000, '0-500'],
    ['bytes=500-', 1000, '500-1000'],
    ['bytes=-1', 1000, '999-1000'],
    ['bytes=-5000', 1000, '0-1000'],
    ['bytes=999-5000', 1000, '999-1000'],
    ['bytes=0-99999999999999999999999', 1000, '0-1000'],
    ['BYTES=1-1', 1000, '1-2'],
    ['bytes= 1-1', 1000, '1-2'],
    ['bytes=,1-1,', 1000, '1-2'],
    ['bytes=0-0,-1', 1000, '0-1 999-1000'],
    ['bytes=900-999 , 0-9', 1000, '900-1000 0-10'],
    ['bytes=0-9,5-19', 1000, '0-20'],
    ['bytes=500-509,0-9,505-519', 1000, '500-520 0-10'],
    ['bytes=0-,0-,0-,0-', 1000, '0-1000'],
    ['bytes=0-9,10-19', 1000, '0-20'],
    ['bytes=0-9,90-99', 1000, '0-100'],
    ['bytes=0-9,91-99', 1000, '0-10 91-100'],
    ['bytes=0-9,2000-', 1000, '0-10'],
    ['bytes=0-0,200-200,400-400,600-600', 1000, '0-1 200-201 400-401 600-601'],
    ['bytes=0-0,200-200,400-400,600-600,800-800', 1000, 'whole'],
    ['bytes=0-,1-,2-,3-,4-', 1000, 'whole'],
    ['bytes=1000-', 1000, 'unsatisfiable'],
    ['bytes=1000-,2000-', 1000, 'unsatisfiable'],
    ['bytes=-0', 1000, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, 'whole'],
    ['bytes=5-4', 1000, 'whole'],
    ['bytes=0-1,5-4', 1000, 'whole'],
    ['bytes=', 1000, 'whole'],
    ['bytes=,', 1000, 'whole'],
    ['bytes=-', 1000, 'whole'],
    ['bytes=a-b', 1000, 'whole'],
    ['bytes=1', 1000, 'whole'],
    ['bytes=1-2-3', 1000, 'whole'],
    ['bytes=0x1-2', 1000, 'whole'],
    ['bytes=+1-2', 1000, 'whole'],
    ['bytes=1.5-2', 1000, 'whole'],
    ['bytes 1-2', 1000, 'whole'],
    ['bytes=1 - 2', 1000, 'whole'],
    ['lines=1-2', 1000, 'whole'],
    ['bytes=0-0, bytes=5-5', 1000, 'whole'],
  ]
  const shown = (answer: ReturnType<typeof selectRanges>): string =>
    typeof answer === 'string'
      ? answer
      : answer.map(({ start, end }) => `${start}-${end}`).join(' ')
  for (const [field, size, answer] of rows)
    it(`${field} of ${size} bytes: ${answer}`, () => {
      assert.equal(shown(selectRanges(field, size, 4)), answer)
    })

  it('never send a byte twice, nor one that was not asked for, but for short gaps', () => {
    const spec = fc.oneof(
      fc.tuple(fc.nat(400), fc.nat(400)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.nat(400).map((first) => `${first}-`),
      fc.nat(400).map((count) => `-${count}`),
    )
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 8 }), fc.nat(300), (specs, size) => {
        const answer = selectRanges(`bytes=${specs.join(',')}`, size, 8)
        if (typeof answer === 'string') return
        const sorted = [...answer].sort((one, other) => one.start - other.start)
        sorted.forEach(({ start, end }, at) => {
          assert.ok(start >= 0 && start < end && end <= size)
          if (at > 0) assert.ok(start > sorted[at - 1]!.end + 79)
        })
        for (let byte = 0; byte < size; byte++) {
          const wanted = specs.some((text) => covers(text, byte, size))
          const sent = answer.some(({ start, end }) => byte >= start && byte < end)
          if (wanted) assert.ok(sent, `byte ${byte} of ${size} for ${specs.join(',')}`)
        }
      }),
    )
  })

  it('a hostile field is read in one pass', () => {
    assert.equal(selectRanges(`bytes=${'0-0,'.repeat(4_000)}`, 10, 4), 'whole')
    assert.equal(selectRanges(`bytes=${' ,'.repeat(8_000)}x`, 10, 4), 'whole')
    assert.equal(selectRanges(`bytes=0-0${', '.repeat(8_000)}x`, 10, 4), 'whole')
  })
})

function covers(spec: string, byte: number, size: number): boolean {
  const [first = '', last = ''] = spec.split('-')
  if (first === '') return byte >= size - Number(last)
  return byte >= Number(first) && (last === '' || byte <= Number(last))
}

describe('34 files: codings and types', () => {
  const codings: readonly (readonly [field: string | undefined, names: string])[] = [
    [undefined, ''],
    ['', ''],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip, deflate, br', 'br gzip'],
    ['br;q=0.5, gzip', 'gzip br'],
    ['br;q=0.5, gzip;q=0.500', 'br gzip'],
    ['br;q=0, *', 'gzip'],
    ['*', 'br gzip'],
    ['*;q=0', ''],
    ['identity', ''],
    ['identity, gzip;q=0.9', ''],
    ['identity;q=0.5, gzip;q=0.9, br;q=0.1', 'gzip'],
    ['identity;q=0, gzip;q=0.1', 'gzip'],
    ['gzip;q=0', ''],
    ['gzip;q=0.000', ''],
    ['gzip;q=1.001', ''],
    ['gzip;q=x', ''],
    ['gzip ; q=0.1', 'gzip'],
    ['gzip;level=9', ''],
    ['zstd, deflate', ''],
  ]
  for (const [field, names] of codings)
    it(`Accept-Encoding ${field ?? 'absent'}: ${names || 'as it is'}`, () => {
      assert.equal(
        acceptedCodings(field)
          .map(({ name }) => name)
          .join(' '),
        names,
      )
    })

  const types: readonly (readonly [path: string, type: string])[] = [
    ['index.html', 'text/html; charset=utf-8'],
    ['a/b.CSS', 'text/css; charset=utf-8'],
    ['a.js', 'text/javascript; charset=utf-8'],
    ['a.json', 'application/json'],
    ['a.svg', 'image/svg+xml'],
    ['a.wasm', 'application/wasm'],
    ['a.tar.gz', 'application/gzip'],
    ['a.nonsense', 'application/octet-stream'],
    ['README', 'application/octet-stream'],
    ['html', 'application/octet-stream'],
    ['x.html/png', 'application/octet-stream'],
    ['', 'application/octet-stream'],
  ]
  for (const [path, type] of types)
    it(`${path || 'no name'} is ${type}`, () => {
      assert.equal(contentTypeOf(path), type)
    })
})
