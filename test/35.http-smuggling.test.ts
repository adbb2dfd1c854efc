/**
 * What must be refused: request smuggling, and more than is allowed. The connection is closed, the
 * status says what was wrong, and nothing that follows is understood as a request.
 */
import assert from 'node:assert/strict'
import { runHttpRow } from './support/http-wire.js'
import { SMUGGLED, smugglingCases, smugglingLimits } from './support/smuggling-cases.js'

describe('35 HTTP smuggling: refused, and the connection closed', () => {
  it('there are 90 cases at least', () => {
    assert.ok(Object.keys(smugglingCases).length >= 90)
  })

  for (const [title, [request, status]] of Object.entries(smugglingCases))
    it(`${title}: ${status}`, () => {
      const send = request + SMUGGLED
      runHttpRow({
        send,
        borders: [1, request.length >> 1, request.length - 1, request.length],
        context: { ...smugglingLimits, allowedOrigins: [] },
        hears: [/^closed /],
        answers: [{ status, headers: { connection: 'close' } }],
        end: 'lingers',
      })
    })

  it('behind an upgrade that the application refuses, no request is parsed', () => {
    const upgrade =
      'GET /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
    runHttpRow({
      send: `${upgrade}Sec-WebSocket-Protocol: none\r\n\r\n${SMUGGLED}`,
      events: ['closed UPGRADE_PROTOCOL'],
      answers: [{ status: 400 }],
      end: 'lingers',
    })
  })
})
