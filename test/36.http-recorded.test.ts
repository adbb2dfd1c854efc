/**
 * Requests as real clients sent them (test/interop/record-requests.mjs wrote them down): all are
 * accepted, and understood as they were meant.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineProtocol, httpRespond, isFinalFragment, type HttpRequest } from '../src/index.js'
import { harness } from './support/harness.js'
import { parseAnswers } from './support/http-answers.js'
import { projectRoot } from './tidy/project-files.js'

interface Recorded {
  readonly client: string
  /** Latin-1: one character a byte. */
  readonly bytes: string
}

const recorded = JSON.parse(
  readFileSync(join(projectRoot, 'test/data/recorded-requests.json'), 'utf8'),
) as Recorded[]

const CLIENTS = ['Chromium', 'Python', 'curl', 'libwebsockets', 'nginx', 'wrk', 'ws']

describe('36 HTTP recorded from real clients', () => {
  it('there are 60 at least, of seven clients', () => {
    assert.ok(new Set(recorded.map(({ bytes }) => bytes)).size >= 60)
    assert.deepEqual([...new Set(recorded.map(({ client }) => client))].sort(), CLIENTS)
  })

  for (const who of CLIENTS)
    it(`all of ${who} are accepted, whole and a byte at a time`, () => {
      const requests: [HttpRequest, string][] = []
      let opened = 0
      let body = ''
      const protocol = defineProtocol<HttpRequest[]>({
        createSession: () => [],
        handlers: {
          ESTABLISHED: () => {
            opened++
          },
          RECEIVE() {},
          HTTP(wsi, request, last) {
            body = ''
            last[0] = request
            if (request.bodyBytes !== 0) return
            requests.push([request, ''])
            httpRespond(wsi, { status: 200, body: 'ok' })
          },
          HTTP_BODY(wsi, data, last) {
            body += data.toString('latin1')
            if (!isFinalFragment(wsi)) return
            requests.push([last[0]!, body])
            httpRespond(wsi, { status: 200, body: 'ok' })
          },
        },
      })
      const h = harness({
        protocols: [protocol],
        allowedOrigins: 'any',
        unknownProtocol: 'accept',
        pingIntervalMs: 0,
        idleTimeoutMs: 0,
      })
      for (const { client, bytes } of recorded) {
        if (client !== who) continue
        const send = Buffer.from(bytes, 'latin1')
        for (const pieces of [[send], Array.from(send, (byte) => Buffer.of(byte))]) {
          const [heard, open] = [requests.length, opened]
          const peer = h.connect()
          for (const piece of pieces) {
            peer.send(piece)
            h.run()
          }
          const line = bytes.slice(0, bytes.indexOf('\r\n'))
          const upgrade = /^upgrade: *websocket\r$/im.test(bytes)
          const answers = parseAnswers(peer.take(), [line.split(' ')[0]!], true)
          assert.equal(answers.at(-1)!.status, upgrade ? 101 : 200, line)
          assert.equal(opened - open, upgrade ? 1 : 0, line)
          if (!upgrade) assertMeant(bytes, requests[heard])
          peer.reset()
          h.run()
        }
      }
    })
})

/** Read once more, loosely, by what a test may know of a request that is well-formed. */
function assertMeant(bytes: string, heard: [HttpRequest, string] | undefined): void {
  assert.ok(heard !== undefined)
  const [request, body] = heard
  const headEnd = bytes.indexOf('\r\n\r\n') + 4
  const [line = '', ...fields] = bytes.slice(0, headEnd - 4).split('\r\n')
  assert.equal(`${request.method} ${request.target} HTTP/1.${request.minorVersion}`, line)
  for (const field of fields) {
    const colon = field.indexOf(':')
    const value = request.headers.get(field.slice(0, colon).toLowerCase())
    assert.equal(value, field.slice(colon + 1).trim(), field)
  }
  const sent = bytes.slice(headEnd)
  if (request.bodyBytes !== -1) assert.equal(body, sent)
  else
    assert.equal(
      body,
      sent
        .split('\r\n')
        .filter((_line, index) => index % 2 === 1)
        .join(''),
    )
}
