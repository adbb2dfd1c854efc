/**
 * Behind a real nginx with kept connections to us: pairs of requests, answered late, in pieces, to
 * HEAD, with bodies, in whatever order; nobody ever gets another's answer.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  contextDestroy,
  createContext,
  defineProtocol,
  getListenAddress,
  HTTP,
  HTTP_FINAL,
  httpRespond,
  isFinalFragment,
  write,
  type Context,
  type HttpRequest,
  type Wsi,
} from '../src/index.js'
import { epollHost } from '../integrations/epoll.js'
import { campaign } from './support/effort.js'
import { needsAddon } from './support/epoll-addon.js'
import { parseAnswers } from './support/http-answers.js'
import { lacksNginx, NginxFront } from './support/nginx-front.js'

const CLIENTS = 16
const KEPT = 4
const PAIRS = campaign(10_000)

interface Upload {
  request: HttpRequest
  body: string
}

/** Each answer names what was asked for; how and when depends on the number in the target. */
function serve(connections: { count: number }): Context {
  const answer = (wsi: Wsi, { request, body }: Upload): void => {
    const text = `${request.method} ${request.target} ${body}`
    const number = Number(/\d+/.exec(request.target)![0])
    const respond = (): void => {
      if (number % 3 !== 0) {
        httpRespond(wsi, { status: 200, headers: { 'X-For': request.target }, body: text })
        return
      }
      httpRespond(wsi, { status: 200, headers: { 'X-For': request.target }, pieces: true })
      for (const letter of text) write(wsi, letter, HTTP)
      write(wsi, '', HTTP_FINAL)
    }
    if (number % 5 === 0) setTimeout(respond, number % 4)
    else respond()
  }
  const protocol = defineProtocol<Partial<Upload>>({
    createSession() {
      connections.count++
      return {}
    },
    handlers: {
      HTTP(wsi, request, upload) {
        Object.assign(upload, { request, body: '' })
        if (request.bodyBytes === 0) answer(wsi, { request, body: '' })
      },
      HTTP_BODY(wsi, data, upload) {
        upload.body = `${upload.body}${data.toString()}`
        if (isFinalFragment(wsi)) answer(wsi, { ...(upload as Upload) })
      },
    },
  })
  return createContext({ host: epollHost({ loop: 'node' }), port: 0, protocols: [protocol] })
}

/** Two requests at once, and what must come back. */
function pairOf(number: number): { send: string; methods: string[]; expected: string[] } {
  const body = `body of ${number}`
  const second = number % 4 === 0 ? 'HEAD' : 'GET'
  const send =
    `POST /${number}/first HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
    `${second} /${number}/second HTTP/1.1\r\nHost: a\r\n\r\n`
  const expected = [
    `POST /${number}/first ${body}`,
    second === 'HEAD' ? '' : `GET /${number}/second `,
  ]
  return { send, methods: ['POST', second], expected }
}

/** One connection to nginx: every so many-th pair, one after the other. */
async function ask(port: number, first: number): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  let answered = 0
  for (let number = first; number < PAIRS; number += CLIENTS) {
    const { send, methods, expected } = pairOf(number)
    socket.write(send)
    const answers = await twoAnswers(socket, methods)
    const bodies = answers.map(({ body }) => body)
    assert.deepEqual(bodies, expected, `pair ${number}`)
    const owners = answers.map(({ headers }) => headers.get('x-for'))
    assert.deepEqual(owners, [`/${number}/first`, `/${number}/second`], `pair ${number}`)
    answered += answers.length
  }
  socket.destroy()
  return answered
}

function twoAnswers(
  socket: Socket,
  methods: readonly string[],
): Promise<ReturnType<typeof parseAnswers>> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const end = (): void => reject(new Error(`ended after ${received.toString('latin1')}`))
    const hear = (data: Buffer): void => {
      received = Buffer.concat([received, data])
      let answers: ReturnType<typeof parseAnswers>
      try {
        answers = parseAnswers(received, methods)
      } catch {
        // Not whole yet; what never becomes whole runs into the time of the test.
        return
      }
      if (answers.length < 2) return
      socket.off('data', hear).off('close', end)
      resolve(answers)
    }
    socket.on('data', hear).once('close', end)
  })
}

describe('86 HTTP behind nginx', function () {
  this.timeout(120_000)
  needsAddon()
  before(function () {
    const lack = lacksNginx()
    if (lack === undefined) return
    console.log(`    ${lack}`)
    this.skip()
  })

  it(`${PAIRS} pairs over ${KEPT} kept connections: no answer is another's`, async () => {
    const connections = { count: 0 }
    const ctx = serve(connections)
    const front = await NginxFront.start(getListenAddress(ctx)!.port, KEPT)
    try {
      const clients = Array.from({ length: CLIENTS }, (_, first) => ask(front.port, first))
      const counts = await Promise.all(clients)
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        2 * PAIRS,
      )
      assert.ok(connections.count < PAIRS, `${connections.count}: nginx kept none`)
    } finally {
      await front.stop()
      contextDestroy(ctx)
    }
  })
})
