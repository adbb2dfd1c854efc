/**
 * 110 requests, answered by us and by the `send` package from the same folder: statuses, ranges,
 * lengths, bodies and the headers that tell of the file are the same, but for the rows that say why
 * not.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import send from 'send'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'
import { dropKept, fetchFrom, serveFolder } from './support/served-folder.js'
import type { Fetched, ServedFolder } from './support/served-folder.js'

/** A file's state as a server tells it. */
interface State {
  readonly tag: string
  readonly modified: string
}

interface Row {
  readonly title: string
  readonly path?: string
  readonly method?: string
  readonly headers?: (state: State) => Record<string, string>
  /** Ours, and why: absent where both answer the same. */
  readonly ours?: { readonly status: number; readonly because: string }
}

const PAGE_BYTES = 5_000
const MODIFIED = new Date('2020-02-02T02:02:02Z')
const BEFORE = 'Sat, 01 Feb 2020 00:00:00 GMT'
const AFTER = 'Mon, 03 Feb 2020 00:00:00 GMT'

const range = (value: string, ours?: Row['ours']): Row => ({
  title: `Range: ${value}`,
  headers: () => ({ Range: value }),
  ...(ours === undefined ? {} : { ours }),
})

const condition = (
  title: string,
  headers: (state: State) => Record<string, string>,
  ours?: Row['ours'],
): Row => ({ title, headers, ...(ours === undefined ? {} : { ours }) })

const path = (at: string, ours?: Row['ours']): Row => ({
  title: at,
  path: at,
  ...(ours === undefined ? {} : { ours }),
})

const because = (status: number, why: string): NonNullable<Row['ours']> => ({
  status,
  because: why,
})

const TAG_LISTS = 'RFC 9110 13.1.1: If-Match compares strongly'
const INVALID = 'RFC 9110 14.1.1: a last position before the first makes the field invalid'
const SUFFIX = 'RFC 9110 14.1.2: a suffix longer than the file is the whole file'
const PARTS = 'RFC 9110 15.3.7.2: several ranges are several parts'
const UNIT = 'RFC 9110 14.1: range units are compared without case'
const DATE = 'RFC 9110 5.6.7: that is no date of HTTP, and ignored'
const IF_RANGE = 'RFC 9110 13.1.5: If-Range asks for exactly this state'
const HEAD_RANGE = 'RFC 9110 14.2: ranges are defined for GET alone'
const NO_CACHE = 'RFC 9111 5.2.1.4: no-cache is for caches; the condition holds (RFC 9110 13.2.2)'
const CLEAN = 'paths that two readers may understand differently are refused'

const rows: readonly Row[] = [
  // What is there
  ...[
    '/page.txt',
    '/',
    '/inner/',
    '/inner/data.json',
    '/empty.bin',
    '/a%20b.html',
    '/page.txt?x=1',
  ].map((at) => path(at)),
  ...['/page.txt', '/inner/', '/empty.bin', '/absent'].map((at) => ({
    title: `HEAD ${at}`,
    path: at,
    method: 'HEAD',
  })),
  ...[
    '/absent',
    '/inner/absent',
    '/bare/',
    '/.env',
    '/.git/config',
    '/page.txt/',
    '/page.txt/x',
  ].map((at) => path(at)),
  path('/inner'),
  path('/bare'),
  path('/inner?x=1', because(301, 'the query stays, with the address that it belongs to')),
  ...['/%', '/%zz', '/%ff', '/page.txt%00', '/%00'].map((at) => path(at)),
  path('/../secret', because(400, CLEAN)),
  path('/inner/../../secret', because(400, CLEAN)),
  path('/%2e%2e/secret', because(400, CLEAN)),
  path('/inner/../page.txt', because(400, CLEAN)),
  path('/./page.txt', because(400, CLEAN)),
  path('/inner%2Fdata.json', because(400, CLEAN)),
  path('/..%2fsecret', because(400, CLEAN)),
  path('/inner%5cdata.json', because(400, CLEAN)),
  path('//page.txt'),
  path('/inner//data.json'),

  // Ranges
  ...['bytes=0-0', 'bytes=0-99', 'bytes=100-', 'bytes=-1', 'bytes=-100', 'bytes=4999-4999'].map(
    (at) => range(at),
  ),
  ...[
    'bytes=4999-',
    'bytes=0-',
    'bytes=0-4999',
    'bytes=0-999999',
    'bytes=-5000',
    'bytes=4000-9999',
  ].map((at) => range(at)),
  ...['bytes=5000-', 'bytes=5000-6000', 'bytes=99999999999999999999-', 'bytes=-0'].map((at) =>
    range(at),
  ),
  ...['bytes=', 'bytes=a-b', 'bytes=1', 'bytes=-', 'lines=0-1', 'bytes 0-1', 'bytes=0-1-2'].map(
    (at) => range(at),
  ),
  ...['bytes=0-99,50-149', 'bytes=0-99,100-199', 'bytes=0-,0-,0-', 'bytes=0-9,9999-'].map((at) =>
    range(at),
  ),
  range('bytes=-5001', because(206, SUFFIX)),
  range('bytes=-99999999999999999999', because(206, SUFFIX)),
  range('bytes=9-0', because(200, INVALID)),
  range('bytes=0-1,9-0', because(200, INVALID)),
  range('bytes=0-99,1000-1099', because(206, PARTS)),
  range('bytes=1000-1099,0-99', because(206, PARTS)),
  range('bytes=0-0,-1', because(206, PARTS)),
  range('bytes=0-9,50-59', because(206, `${PARTS}; what nearly touches is one`)),
  range('Bytes=0-9', because(206, UNIT)),
  range('bytes=0-9,', because(206, 'RFC 9110 5.6.1: empty members of a list count for nothing')),
  { ...range('bytes=0-9', because(200, HEAD_RANGE)), title: 'HEAD with Range', method: 'HEAD' },
  {
    ...range('bytes=5000-', because(200, HEAD_RANGE)),
    title: 'HEAD beyond the end',
    method: 'HEAD',
  },
  { ...range('bytes=0-'), title: 'Range of an empty file', path: '/empty.bin' },
  {
    ...range('bytes=-1', because(200, 'the last byte of nothing has no Content-Range')),
    title: 'the last byte of an empty file',
    path: '/empty.bin',
  },

  // Conditions
  condition('If-None-Match: its tag', ({ tag }) => ({ 'If-None-Match': tag })),
  condition('If-None-Match: its tag, weak', ({ tag }) => ({ 'If-None-Match': weak(tag) })),
  condition('If-None-Match: a list', ({ tag }) => ({ 'If-None-Match': `"x", ${tag}, "y"` })),
  condition('If-None-Match: *', () => ({ 'If-None-Match': '*' })),
  condition('If-None-Match: another', () => ({ 'If-None-Match': '"x"' })),
  condition('If-None-Match: others', () => ({ 'If-None-Match': '"x", W/"y"' })),
  condition('If-None-Match: no tag', () => ({ 'If-None-Match': 'x' })),
  condition('If-Modified-Since: then', ({ modified }) => ({ 'If-Modified-Since': modified })),
  condition('If-Modified-Since: before', () => ({ 'If-Modified-Since': BEFORE })),
  condition('If-Modified-Since: after', () => ({ 'If-Modified-Since': AFTER })),
  condition('If-Modified-Since: nonsense', () => ({ 'If-Modified-Since': 'yesterday' })),
  condition('If-Modified-Since: the old form', () => ({
    'If-Modified-Since': 'Monday, 03-Feb-20 00:00:00 GMT',
  })),
  condition('If-Modified-Since: as C writes it', () => ({
    'If-Modified-Since': 'Mon Feb  3 00:00:00 2020',
  })),
  condition(
    'If-Modified-Since: ISO 8601',
    () => ({ 'If-Modified-Since': '2020-02-03T00:00:00Z' }),
    because(200, DATE),
  ),
  condition('both, and the tag decides', () => ({
    'If-None-Match': '"x"',
    'If-Modified-Since': AFTER,
  })),
  condition('both, and the tag is the same', ({ tag }) => ({
    'If-None-Match': tag,
    'If-Modified-Since': BEFORE,
  })),
  condition(
    'a reload that takes no cached answer',
    ({ tag }) => ({ 'If-None-Match': tag, 'Cache-Control': 'no-cache' }),
    because(304, NO_CACHE),
  ),
  condition(
    'a reload by date that takes no cached answer',
    () => ({ 'If-Modified-Since': AFTER, 'Cache-Control': 'no-cache' }),
    because(304, NO_CACHE),
  ),
  condition('If-Match: its tag', ({ tag }) => ({ 'If-Match': tag })),
  condition('If-Match: *', () => ({ 'If-Match': '*' })),
  condition('If-Match: another', () => ({ 'If-Match': '"x"' })),
  condition('If-Match: no tag', () => ({ 'If-Match': 'x' })),
  condition('If-Match: a list', ({ tag }) => ({ 'If-Match': `"x", ${tag}` })),
  condition(
    'If-Match: its tag, weak',
    ({ tag }) => ({ 'If-Match': weak(tag) }),
    because(412, TAG_LISTS),
  ),
  condition('If-Unmodified-Since: then', ({ modified }) => ({ 'If-Unmodified-Since': modified })),
  condition('If-Unmodified-Since: before', () => ({ 'If-Unmodified-Since': BEFORE })),
  condition('If-Unmodified-Since: after', () => ({ 'If-Unmodified-Since': AFTER })),
  condition('If-Unmodified-Since: nonsense', () => ({ 'If-Unmodified-Since': 'x' })),
  condition('If-Match holds, so the date does not count', ({ tag }) => ({
    'If-Match': tag,
    'If-Unmodified-Since': BEFORE,
  })),
  condition('If-Match and If-None-Match', ({ tag }) => ({ 'If-Match': tag, 'If-None-Match': tag })),
  condition('412 comes before 304', ({ tag }) => ({ 'If-Match': '"x"', 'If-None-Match': tag })),
  condition('412 comes before 416', () => ({ 'If-Match': '"x"', Range: 'bytes=9999-' })),
  condition('304 comes before 416', ({ tag }) => ({ 'If-None-Match': tag, Range: 'bytes=9999-' })),
  condition('304 comes before 206', ({ tag }) => ({ 'If-None-Match': tag, Range: 'bytes=0-9' })),
  condition('a condition that holds, and a range', () => ({
    'If-None-Match': '"x"',
    Range: 'bytes=0-9',
  })),
  condition('If-Range: its tag', ({ tag }) => ({ 'If-Range': tag, Range: 'bytes=0-9' })),
  condition('If-Range: another', () => ({ 'If-Range': '"x"', Range: 'bytes=0-9' })),
  condition('If-Range: another, beyond the end', () => ({
    'If-Range': '"x"',
    Range: 'bytes=9999-',
  })),
  condition('If-Range: then', ({ modified }) => ({ 'If-Range': modified, Range: 'bytes=0-9' })),
  condition('If-Range: before', () => ({ 'If-Range': BEFORE, Range: 'bytes=0-9' })),
  condition('If-Range: nonsense', () => ({ 'If-Range': 'x', Range: 'bytes=0-9' })),
  condition('If-Range without Range', ({ tag }) => ({ 'If-Range': tag })),
  condition(
    'If-Range: after',
    () => ({ 'If-Range': AFTER, Range: 'bytes=0-9' }),
    because(200, IF_RANGE),
  ),
  condition(
    'If-Range: its tag, weak',
    ({ tag }) => ({ 'If-Range': weak(tag), Range: 'bytes=0-9' }),
    because(200, IF_RANGE),
  ),
  condition(
    'If-Range: a list',
    ({ tag }) => ({ 'If-Range': `"x", ${tag}`, Range: 'bytes=0-9' }),
    because(200, IF_RANGE),
  ),
]

function weak(tag: string): string {
  return tag.startsWith('W/') ? tag : `W/${tag}`
}

/** What must be equal. Our errors say something else, in another type. */
function essence({ status, headers, body }: Fetched, method: string): unknown {
  const answers = status === 200 || status === 206
  const told = [
    'content-range',
    'location',
    ...(answers ? ['content-length', 'accept-ranges'] : []),
  ]
  return {
    status,
    told: told.map((name) => headers[name]),
    modified: answers ? headers['last-modified'] : undefined,
    hasTag: answers || status === 304 ? 'etag' in headers : undefined,
    body: answers && method === 'GET' ? body.toString('latin1') : undefined,
  }
}

describe('68 files, beside the send package', () => {
  needsAddon()

  let folder: ReturnType<typeof temporaryFolder>
  let ours: ServedFolder
  let theirs: Server
  const states: Partial<Record<number, State>> = {}

  before(async () => {
    folder = temporaryFolder()
    const root = join(folder.path, 'www')
    for (const inner of ['inner', 'bare', '.git']) mkdirSync(join(root, inner), { recursive: true })
    const put = (name: string, content: string): void => {
      writeFileSync(join(root, name), content)
      utimesSync(join(root, name), MODIFIED, MODIFIED)
    }
    put('page.txt', Array.from({ length: PAGE_BYTES }, (_, at) => at % 10).join(''))
    for (const name of ['index.html', 'inner/index.html', 'a b.html', '.env', '.git/config'])
      put(name, name)
    put('inner/data.json', '{}')
    put('bare/x', 'x')
    put('empty.bin', '')
    writeFileSync(join(folder.path, 'secret'), 'secret')
    ours = serveFolder({ root, index: 'index.html' })
    theirs = createServer((request, response) => {
      send(request, request.url!.split('?')[0]!, { root }).pipe(response)
    })
    await new Promise<void>((resolve) => theirs.listen(0, '127.0.0.1', resolve))
    for (const port of [ours.port, portOf(theirs)]) {
      const { headers } = await fetchFrom(port, '/page.txt')
      states[port] = { tag: headers['etag']!, modified: headers['last-modified']! }
    }
  })

  after(() => {
    dropKept()
    theirs.close()
    ours.stop()
    folder.remove()
  })

  const ask = (port: number, { path: at = '/page.txt', headers, method = 'GET' }: Row) =>
    fetchFrom(port, at, headers?.(states[port]!) ?? {}, method)

  it('is a table of more than 100', () => {
    assert.ok(rows.length > 100, `only ${rows.length}`)
    assert.equal(new Set(rows.map(({ title }) => title)).size, rows.length)
  })

  for (const row of rows) {
    const { title, method = 'GET', ours: difference } = row
    const why = difference === undefined ? '' : `: ${difference.status}, ${difference.because}`
    it(`${title}${why}`, async () => {
      const [our, their] = [await ask(ours.port, row), await ask(portOf(theirs), row)]
      if (difference === undefined) {
        assert.deepEqual(essence(our, method), essence(their, method))
        return
      }
      assert.equal(our.status, difference.status)
      assert.notDeepEqual(essence(our, method), essence(their, method), 'a difference that is none')
    })
  }

  it('304 tells no date where it has a tag (RFC 9110 15.4.5)', async () => {
    const { tag } = states[ours.port]!
    const { status, headers } = await fetchFrom(ours.port, '/page.txt', { 'If-None-Match': tag })
    assert.deepEqual([status, headers['etag'], headers['last-modified']], [304, tag, undefined])
  })
})

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
