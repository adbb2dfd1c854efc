/**
 * serveHttpFile on the fake poller: what it finds, what it answers, and what it refuses.
 *
 * No descriptor of a file outlives its answer. Large files: 37.large-files.test.ts.
 */
import assert from 'node:assert/strict'
import {
  contextDestroy,
  createContext,
  defineProtocol,
  Errno,
  httpRespond,
  serveHttpFile,
  type ServeFileOptions,
} from '../src/index.js'
import type { WsPeer } from '../integrations/fake-poller.js'
import { entityTagOf } from '../src/http/entity-tag.js'
import { checkedHost } from './support/harness.js'
import {
  type FileScene,
  fileScene,
  type FileSceneOptions,
  MODIFIED_MS,
  readAnswer,
  requestText,
  ROOT,
} from './support/http-files.js'
import { fakePoller } from '../integrations/fake-poller.js'

const OPTIONS = { modifiedMs: MODIFIED_MS }
const LAST_MODIFIED = 'Mon, 01 Jan 2001 12:00:00 GMT'

/** With one page in it. */
function pageScene(options: FileSceneOptions = {}): FileScene {
  const scene = fileScene(options)
  scene.files.put(`${ROOT}/page.html`, 'the page', OPTIONS)
  return scene
}

describe('37 a file as an answer', () => {
  it('has its bytes, its type, its length and its state', () => {
    const { ask, files, results, openFiles } = fileScene()
    const file = files.put(`${ROOT}/page.html`, 'the page', OPTIONS)
    const { status, headers, body } = ask('/page.html')
    assert.equal(status, 200)
    assert.equal(body.toString(), 'the page')
    assert.ok(headers.has('date'))
    assert.deepEqual(Object.fromEntries([...headers].filter(([name]) => name !== 'date')), {
      'content-type': 'text/html; charset=utf-8',
      'content-length': '8',
      'accept-ranges': 'bytes',
      'last-modified': LAST_MODIFIED,
      etag: entityTagOf(file.info, 1e12),
    })
    assert.deepEqual(
      results.map(({ status, bytes }) => [status, bytes]),
      [[200, 8]],
    )
    assert.equal(openFiles(), 0)
  })

  it('leaves with its head in one send where it is small', () => {
    const { h, ask } = pageScene()
    ask('/page.html')
    assert.equal(h.poller.counts.send + h.poller.counts.sendv, 1)
  })

  it('is on a connection that serves the next request, also when they come at once', () => {
    const { h, ask, files, statuses, openFiles } = pageScene()
    files.put(`${ROOT}/big`, Buffer.alloc(200_000, 7))
    const peer = h.connect()
    ask('/page.html', {}, { peer })
    ask('/absent', {}, { peer })
    ask('/big', {}, { peer })
    assert.equal(ask('/page.html', {}, { peer }).body.toString(), 'the page')
    peer.send(
      ['/big', '/page.html', '/absent', '/big'].map((at) => requestText('GET', at)).join(''),
    )
    h.run()
    const text = peer.take().toString('latin1')
    assert.equal(text.length, text.lastIndexOf('\x07') + 1)
    assert.deepEqual(statuses, [200, 404, 200, 200, 200, 200, 404, 200])
    assert.equal(openFiles(), 0)
  })

  it('has no body for HEAD, and the same head', () => {
    for (const size of [8, 100_000]) {
      const { ask, files, openFiles } = fileScene()
      files.put(`${ROOT}/a.bin`, Buffer.alloc(size), OPTIONS)
      const got = ask('/a.bin')
      const headed = ask('/a.bin', {}, { method: 'HEAD' })
      assert.deepEqual(headed.headers, got.headers)
      assert.equal(openFiles(), 0)
    }
  })

  it('may be empty', () => {
    const { ask, files } = fileScene()
    files.put(`${ROOT}/empty`, '')
    assert.equal(ask('/empty').headers.get('content-length'), '0')
    assert.equal(ask('/empty', { Range: 'bytes=0-' }).status, 416)
    assert.equal(ask('/empty', { Range: 'bytes=-1' }).status, 200)
  })

  it('has the type and the headers that the application gives', () => {
    const headers = { 'Cache-Control': 'max-age=60', vary: 'Origin' }
    const scene = pageScene({ contentType: 'text/plain', serve: { headers, precompressed: true } })
    const { headers: got } = scene.ask('/page.html')
    assert.equal(got.get('content-type'), 'text/plain')
    assert.equal(got.get('cache-control'), 'max-age=60')
    assert.equal(got.get('vary'), 'Accept-Encoding, Origin')
    const not = scene.ask('/page.html', { 'If-None-Match': got.get('etag')! })
    assert.equal(not.status, 304)
    assert.equal(not.headers.get('cache-control'), 'max-age=60')
    assert.equal(not.headers.has('content-type'), false)
    assert.equal(scene.ask('/page.html', { 'If-Match': '"x"' }).headers.has('cache-control'), false)
  })

  it('is the compressed one beside it where the client takes that', () => {
    const { ask, files, openFiles } = pageScene({ serve: { precompressed: true } })
    files.put(`${ROOT}/page.html.gz`, 'gzipped', OPTIONS)
    const plain = ask('/page.html')
    assert.equal(plain.body.toString(), 'the page')
    assert.equal(plain.headers.get('vary'), 'Accept-Encoding')
    const packed = ask('/page.html', { 'Accept-Encoding': 'br, gzip' })
    assert.equal(packed.body.toString(), 'gzipped')
    assert.equal(packed.headers.get('content-encoding'), 'gzip')
    assert.equal(packed.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.notEqual(packed.headers.get('etag'), plain.headers.get('etag'))
    const part = ask('/page.html', { 'Accept-Encoding': 'gzip', Range: 'bytes=0-2' })
    assert.equal(part.body.toString(), 'gzi')
    files.put(`${ROOT}/page.html.br`, '', { kind: 'directory' })
    assert.equal(ask('/page.html', { 'Accept-Encoding': 'br' }).body.toString(), 'the page')
    files.remove(`${ROOT}/page.html`)
    assert.equal(ask('/page.html', { 'Accept-Encoding': 'gzip' }).status, 404)
    assert.equal(openFiles(), 0)
  })

  it('comes in several parts where several ranges are asked for', () => {
    const { ask, files, openFiles } = fileScene()
    for (const size of [2_000, 300_000]) {
      const content = Buffer.from(Array.from({ length: size }, (_, at) => at % 251))
      files.put(`${ROOT}/data.css`, content, OPTIONS)
      const last = size - 500
      const { status, headers, body } = ask('/data.css', { Range: `bytes=${last}-,0-99` })
      assert.equal(status, 206)
      const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(
        headers.get('content-type')!,
      )![1]!
      const parts = body.toString('latin1').split(`--${boundary}`)
      assert.equal(parts.length, 4)
      assert.deepEqual([parts[0], parts[3]], ['', '--\r\n'])
      const head = (at: string): string =>
        `\r\nContent-Type: text/css; charset=utf-8\r\nContent-Range: bytes ${at}/${size}\r\n\r\n`
      const text = content.toString('latin1')
      assert.equal(parts[1], `${head(`${last}-${size - 1}`)}${text.slice(last)}\r\n`)
      assert.equal(parts[2], `${head('0-99')}${text.slice(0, 100)}\r\n`)
      const again = ask('/data.css', { Range: `bytes=${last}-,0-99` })
      assert.notEqual(again.headers.get('content-type'), headers.get('content-type'))
    }
    assert.equal(openFiles(), 0)
  })
})

describe('37 what is no file for the client', () => {
  const rows: readonly (readonly [title: string, target: string, status: number])[] = [
    ['what is not there', '/absent', 404],
    ['a folder', '/inner', 404],
    ['a folder with a slash', '/inner/', 404],
    ['the root', '/', 404],
    ['a file with a slash', '/page.html/', 404],
    ['something beneath a file', '/page.html/x', 404],
    ['a dot-file', '/.env', 404],
    ['a file in a dot-folder', '/.git/config', 404],
    ['a FIFO', '/fifo', 403],
    ['a link out of the root', '/outside', 403],
    ['dots', '/../secret', 400],
    ['encoded dots', '/%2e%2e/secret', 400],
    ['an encoded slash', '/..%2fsecret', 400],
    ['a NUL', '/page.html%00.txt', 400],
    ['a name that is too long', `/${'x'.repeat(5_000)}`, 404],
    ['a name that is too long in UTF-8', `/${'%C3%A4'.repeat(2_500)}`, 404],
  ]
  for (const [title, target, status] of rows)
    it(`${title}: ${status}, on a connection that is kept`, () => {
      const { h, ask, files, openFiles, errors } = pageScene()
      files.put(`${ROOT}/inner/x`, 'x')
      files.put(`${ROOT}/.env`, 'x')
      files.put(`${ROOT}/.git/config`, 'x')
      files.put(`${ROOT}/fifo`, '', { kind: 'fifo' })
      files.put(`${ROOT}/outside`, '', { kind: 'link out' })
      files.put('/srv/secret', 'secret')
      const peer = h.connect()
      const answer = ask(target, {}, { peer })
      assert.equal(answer.status, status)
      assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
      assert.match(answer.body.toString(), /^[A-Z][^<>]+\.\n$/)
      assert.equal(ask('/page.html', {}, { peer }).status, 200)
      assert.equal(openFiles(), 0)
      assert.deepEqual(errors, [])
    })

  it('other methods are told the two that a file has', () => {
    const { ask } = pageScene()
    for (const method of ['DELETE', 'OPTIONS', 'get']) {
      const { status, headers } = ask('/page.html', {}, { method })
      assert.deepEqual([status, headers.get('allow')], [405, 'GET, HEAD'])
    }
  })

  it('a dot-file is one where the application says so', () => {
    const { ask, files } = pageScene({ serve: { dotFiles: true } })
    files.put(`${ROOT}/.well-known/x`, 'x')
    assert.equal(ask('/.well-known/x').status, 200)
    assert.equal(ask('/../x').status, 400)
  })

  it('an index answers for its folder, whose address ends with a slash', () => {
    const { ask, files } = pageScene({ serve: { index: 'index.html' } })
    files.put(`${ROOT}/index.html`, 'root')
    files.put(`${ROOT}/a b/index.html`, 'inner')
    files.put(`${ROOT}/bare/x`, 'x')
    assert.equal(ask('/').body.toString(), 'root')
    assert.equal(ask('/a%20b/').headers.get('content-type'), 'text/html; charset=utf-8')
    assert.equal(ask('/bare/').status, 404)
    const address = (target: string): string | undefined => {
      const { status, headers } = ask(target)
      assert.equal(status, 301)
      return headers.get('location')
    }
    assert.equal(address('/a%20b?x=1'), '/a%20b/?x=1')
    assert.equal(address('http://evil.example/a%20b'), '/a%20b/')
    assert.equal(address('//bare'), '/bare/')
    assert.equal(address('///bare?//evil.example'), '/bare/?//evil.example')
  })

  it('a 404 is left to the application where it asks for that', () => {
    const answered: number[] = []
    const scene = pageScene({
      handlers: {
        HTTP(wsi) {
          const options = { root: ROOT, fallthrough: true }
          answered.push(serveHttpFile(wsi, 'absent', undefined, options))
          answered.push(serveHttpFile(wsi, 'page.html', undefined, options))
          answered.push(serveHttpFile(wsi, 'page.html', undefined, options))
        },
      },
    })
    assert.equal(scene.ask('/').body.toString(), 'the page')
    assert.deepEqual(answered, [404, 200, 0])
  })

  const failures: readonly (readonly [errno: number, status: number])[] = [
    [Errno.EMFILE, 503],
    [Errno.ENFILE, 503],
    [Errno.ENOMEM, 503],
    [Errno.EACCES, 403],
    [Errno.ELOOP, 403],
    [Errno.ENXIO, 403],
    [Errno.EIO, 500],
    [250, 500],
  ]
  for (const [errno, status] of failures)
    it(`openFile answering -${errno} is ${status}`, () => {
      const { ask, files } = pageScene()
      files.script.openFile.push(-errno)
      assert.equal(ask('/page.html').status, status)
      assert.equal(ask('/page.html').status, 200)
    })

  it('is told when descriptors run out, and served when there are some again', () => {
    const { h, ask, openFiles } = pageScene({ context: { poller: { fdLimit: 7 } } })
    const others = [h.connect(), h.connect()]
    h.run()
    const peer = others[0] as WsPeer
    assert.equal(ask('/page.html', {}, { peer }).status, 200)
    const foreign = h.connect()
    h.run()
    assert.equal(ask('/page.html', {}, { peer }).status, 503)
    foreign.reset()
    h.run()
    assert.equal(ask('/page.html', {}, { peer }).status, 200)
    assert.equal(openFiles(), 0)
  })
})

describe('37 serveHttpFile refuses what cannot be', () => {
  it('a wrong option, before anything is sent', () => {
    const wrong: readonly (readonly [
      unknown,
      unknown,
      Partial<Record<keyof ServeFileOptions, unknown>>,
      string,
    ])[] = [
      [undefined, undefined, {}, 'FILE_OPTION'],
      [7, undefined, {}, 'FILE_OPTION'],
      ['page.html', 'text/plain\r\nX: y', {}, 'FILE_OPTION'],
      ['page.html', '', {}, 'FILE_OPTION'],
      ['page.html', 7, {}, 'FILE_OPTION'],
      ['page.html', undefined, { root: '' }, 'FILE_OPTION'],
      ['page.html', undefined, { root: undefined }, 'FILE_OPTION'],
      ['page.html', undefined, { root: '/srv\0' }, 'FILE_OPTION'],
      ['page.html', undefined, { index: 'a/b' }, 'FILE_OPTION'],
      ['page.html', undefined, { headers: { ETag: '"x"' } }, 'FILE_OPTION'],
      ['page.html', undefined, { headers: new Map([['Content-Type', 'x']]) }, 'FILE_OPTION'],
      ['page.html', undefined, { headers: { 'Content-Length': '1' } }, 'HTTP_HEADER'],
      ['page.html', undefined, { headers: { 'X-A': 'a\r\nb' } }, 'HTTP_HEADER'],
    ]
    const codes: unknown[] = []
    const scene = pageScene({
      handlers: {
        HTTP(wsi) {
          for (const [file, type, options] of wrong)
            try {
              serveHttpFile(
                wsi,
                file as string,
                type as string,
                { root: ROOT, ...options } as never,
              )
              codes.push(undefined)
            } catch (error) {
              codes.push((error as { code: string }).code)
            }
          assert.equal(scene.openFiles(), 0)
          httpRespond(wsi, { status: 200, body: 'done' })
        },
      },
    })
    assert.equal(scene.ask('/').body.toString(), 'done')
    assert.deepEqual(
      codes,
      wrong.map(([, , , code]) => `ERR_EXTPOLL_${code}`),
    )
  })

  it('a host without files', () => {
    const poller = fakePoller()
    poller.host.io.openFile = undefined as never
    const errors: unknown[] = []
    const host = checkedHost(poller)
    const protocol = defineProtocol({
      name: '',
      handlers: { HTTP: (wsi) => void serveHttpFile(wsi, 'x', undefined, { root: ROOT }) },
    })
    const onError = (error: unknown): void => void errors.push(error)
    const ctx = createContext({ host, port: 0, protocols: [protocol], onError })
    const peer = poller.connectTo(ctx)
    peer.send(requestText('GET', '/x'))
    poller.run(ctx)
    assert.equal(readAnswer(peer).status, 500)
    assert.deepEqual(
      errors.map((error) => (error as { code: string }).code),
      ['ERR_EXTPOLL_NO_FILES'],
    )
    contextDestroy(ctx)
  })
})
