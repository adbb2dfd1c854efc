/**
 * Closing as a server does it: RFC 6455 sections 5.5.1, 7 and 8.1's close reasons, on the wire.
 *
 * What the application begins, and the order in which it ends, is in 22.closing-order.
 */
import assert from 'node:assert/strict'
import { close, hangup, type Wsi } from '../src/index.js'
import { wires, type Row } from './support/wire.js'
import {
  bytes,
  client,
  closedByPeer,
  closePayload,
  fails,
  hex,
  server,
} from './support/wire-bytes.js'

/** Codes that may stand in a close frame, and those that must not, at every border of 7.4. */
const GOOD_CODES = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000,
  4001, 4999,
]
const BAD_CODES = [
  0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1099, 1100, 1999, 2000, 2998, 2999, 5000, 5001,
  10_000, 65_535,
]

const BAD_REASONS: Readonly<Record<string, string>> = {
  'a lone continuation byte': '80',
  'an overlong slash': 'c0 af',
  'a surrogate': 'ed a0 80',
  'above U+10FFFF': 'f4 90 80 80',
  'a truncated character': '6f 6b e2 82',
  'a byte that is in no text': 'ff',
  'a good text and a bad end': '67 6f 6f 64 20 fe',
}

/** The application acts on the connection during RECEIVE. */
function acting(send: Buffer, act: (wsi: Wsi) => void, expect: Row['expect']): Row {
  let seen: string[] = []
  return {
    send,
    handlers: {
      ESTABLISHED: () => void (seen = []),
      RECEIVE(wsi, data) {
        seen.push(data.toString())
        assert.deepEqual(seen, ['act'], 'nothing is received after the application ended it')
        act(wsi)
      },
    },
    expect,
  }
}

describe('22 closing', () => {
  describe('RFC 6455 5.5.1: a close frame MUST be answered, with the code it had', () => {
    const rows: Record<string, Row> = {}
    for (const code of GOOD_CODES)
      rows[`code ${code}`] = { send: client.close(code), expect: closedByPeer(code) }
    for (const code of [1000, 3000, 4999])
      rows[`code ${code} with a reason, which CLOSED tells`] = {
        send: client.close(code, 'Grüße, Jürgen ❤'),
        expect: closedByPeer(code, 'Grüße, Jürgen ❤'),
      }
    wires({
      ...rows,
      'without a code: without a code': { send: client.close(), expect: closedByPeer() },
      'a reason of 123 bytes': {
        send: client.close(1000, 'r'.repeat(123)),
        expect: closedByPeer(1000, 'r'.repeat(123)),
      },
      'a reason that is NUL and a byte order mark': {
        send: client.close(1000, '\ufeff\0'),
        expect: closedByPeer(1000, '\ufeff\0'),
      },
    })
  })

  describe('RFC 6455 7.4: codes that MUST NOT stand in a close frame', () => {
    const rows: Record<string, Row> = {}
    for (const code of BAD_CODES) {
      rows[`code ${code}`] = { send: client.close(code), expect: fails(1002, 'CLOSE_CODE') }
      rows[`code ${code} with a reason`] = {
        send: client.close(code, 'why'),
        expect: fails(1002, 'CLOSE_CODE'),
      }
    }
    wires(rows)
  })

  describe('RFC 6455 5.5.1 and 8.1: what a close frame may carry', () => {
    const rows: Record<string, Row> = {}
    for (const [what, reason] of Object.entries(BAD_REASONS))
      rows[`a reason MUST be UTF-8: ${what}`] = {
        send: client.close(1000, hex(reason)),
        expect: fails(1007, 'CLOSE_REASON_UTF8'),
      }
    wires({
      ...rows,
      'a body of one byte holds no code': {
        send: client.frame(8, hex('03')),
        expect: fails(1002, 'CLOSE_LENGTH'),
      },
      'a bad code and a bad reason: the code is looked at first': {
        send: client.close(1005, hex('ff')),
        expect: fails(1002, 'CLOSE_CODE'),
      },
      'a character that 125 bytes cut': {
        send: client.frame(8, bytes(closePayload(1000, 'x'.repeat(122)), hex('c3'))),
        expect: fails(1007, 'CLOSE_REASON_UTF8'),
      },
    })
  })

  describe('RFC 6455 1.4 and 5.5.1: after the close frame nothing counts', () => {
    const late: Record<string, Buffer> = {
      'a text': client.text('late'),
      'a ping': client.ping('late'),
      'a second close frame': client.close(1001, 'late'),
      'a frame against the rules': client.text('late', { rsv: 7 }),
      'bytes that are no frame': hex('ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff'),
      'half a frame': client.text('late').subarray(0, 5),
    }
    const rows: Record<string, Row> = {}
    for (const [what, send] of Object.entries(late))
      rows[`${what} is neither delivered nor answered`] = {
        send: bytes(client.text('in time'), client.close(1000), send),
        expect: closedByPeer(1000, '', { events: ['text "in time"'] }),
        // The descriptor is closed with the last byte of the close frame: later ones meet a reset.
        borders: [1, client.text('in time').length + 3],
      }
    for (const [what, send] of Object.entries(late))
      rows[`${what} after a fault is neither delivered nor answered`] = {
        send: bytes(client.text('in time'), client.frame(3), send),
        expect: fails(1002, 'FRAME_RESERVED_OPCODE', { events: ['text "in time"'] }),
      }
    rows['bad UTF-8, and what came with it'] = {
      send: bytes(client.text(hex('ff')), client.binary('late'), client.ping('late')),
      expect: fails(1007, 'TEXT_UTF8'),
    }
    wires(rows)
  })

  describe('what comes in the same recv as the end that a callback makes is not delivered', () => {
    const send = bytes(client.text('act'), client.text('late'), client.ping('late'))
    const hung: Row['expect'] = {
      end: 'resets',
      close: { code: 1006, reason: '', initiator: 'application', cause: 'HUNG_UP' },
    }
    const threw = fails(1011, 'CALLBACK_THREW', { errors: ['Error: on purpose'] })
    wires({
      'hangup in RECEIVE': { ...acting(send, (wsi) => hangup(wsi), hung), borders: [1, 9, 10] },
      'a throw in RECEIVE: 1011': acting(
        send,
        () => {
          throw new Error('on purpose')
        },
        threw,
      ),
    })
  })

  describe('RFC 6455 7.1.5: how it is told', () => {
    const eof = { code: 1006, reason: '', initiator: 'peer', cause: 'END_OF_FILE' } as const
    wires({
      'an end of file without a close frame is 1006': {
        send: client.text('x'),
        thenEnd: true,
        expect: { events: ['text "x"'], end: 'closes', close: eof },
      },
      'an end of file in the middle of a close frame is 1006': {
        send: client.close(1000, 'unfinished').subarray(0, 9),
        thenEnd: true,
        expect: { end: 'closes', close: eof },
      },
      'a close frame and an end of file: the close frame counts': {
        send: client.close(4000, 'bye'),
        thenEnd: true,
        expect: closedByPeer(4000, 'bye'),
      },
      'a fault and an end of file: the fault counts': {
        send: client.frame(3),
        thenEnd: true,
        expect: { ...fails(1002, 'FRAME_RESERVED_OPCODE'), end: 'closes' },
      },
    })
  })

  describe('RFC 6455 7.1.2: the closing handshake begun in RECEIVE', () => {
    const begins = (wsi: Wsi): void => void close(wsi, 3001, 'enough')
    const ours = server.close(3001, 'enough')
    wires({
      'the peer answers with the same code': {
        ...acting(bytes(client.text('act'), client.close(3001)), begins, {
          sent: ours,
          end: 'closes',
          close: {
            code: 3001,
            reason: '',
            initiator: 'application',
            cause: 'CLOSED_BY_APPLICATION',
          },
        }),
      },
      'the peer began at the same time, with another code: there is one close frame of ours': {
        ...acting(bytes(client.text('act'), client.close(1001, 'going')), begins, {
          sent: ours,
          end: 'closes',
          close: {
            code: 1001,
            reason: 'going',
            initiator: 'application',
            cause: 'CLOSED_BY_APPLICATION',
          },
        }),
      },
      'a ping that crosses our close frame is not answered': {
        ...acting(bytes(client.text('act'), client.ping('x'), client.close(3001)), begins, {
          sent: ours,
          end: 'closes',
          close: {
            code: 3001,
            reason: '',
            initiator: 'application',
            cause: 'CLOSED_BY_APPLICATION',
          },
        }),
      },
    })
  })
})
