/**
 * Fragments and control frames as a server meets them: RFC 6455 sections 5.4 to 5.6 and 6.2.
 */
import { wires, type Row } from './support/wire.js'
import { bytes, client, fails, hex, rawFrame, server, shown } from './support/wire-bytes.js'

const fin = false

describe('21 fragments and control frames', () => {
  describe('RFC 6455 5.4: fragmentation', () => {
    wires({
      'a message of three fragments is one message': {
        send: bytes(client.text('a', { fin }), client.more('b', { fin }), client.more('c')),
        expect: { events: ['text "abc"'] },
      },
      'the type of a message is that of its first fragment': {
        send: bytes(
          client.binary('a', { fin }),
          client.more('b'),
          client.text('c', { fin }),
          client.more('d'),
        ),
        expect: { events: ['binary 6162', 'text "cd"'] },
      },
      'empty fragments first, between and last': {
        send: bytes(
          client.text('', { fin }),
          client.more('', { fin }),
          client.more('x', { fin }),
          client.more(''),
        ),
        expect: { events: ['text "x"'] },
      },
      'nothing but empty fragments is an empty message': {
        send: bytes(client.binary('', { fin }), client.more('', { fin }), client.more('')),
        expect: { events: ['binary '] },
      },
      'an empty message is a message': {
        send: bytes(client.text(''), client.binary('')),
        expect: { events: ['text ""', 'binary '] },
      },
      'fragments of 125, 126 and 300 bytes': {
        send: bytes(
          client.binary(Buffer.alloc(125, 1), { fin }),
          client.more(Buffer.alloc(126, 2), { fin }),
          client.more(Buffer.alloc(300, 3)),
        ),
        expect: {
          events: [
            shown(
              'binary',
              bytes(Buffer.alloc(125, 1), Buffer.alloc(126, 2), Buffer.alloc(300, 3)),
            ),
          ],
        },
      },
      'control frames MAY be injected in the middle of a fragmented message': {
        send: bytes(
          client.text('one ', { fin }),
          client.ping('p1'),
          client.more('two ', { fin }),
          client.pong('p2'),
          client.ping(''),
          client.more('three'),
        ),
        expect: {
          events: [`pong ${Buffer.from('p2').toString('hex')}`, 'text "one two three"'],
          sent: bytes(server.pong('p1'), server.pong('')),
        },
      },
      'between the bytes of a character too': {
        send: bytes(
          client.text(hex('e2'), { fin }),
          client.ping('!'),
          client.more(hex('82'), { fin }),
          client.more(hex('ac')),
        ),
        expect: { events: ['text "€"'], sent: server.pong('!') },
      },
      'a close frame in the middle ends it, and the message is never delivered': {
        send: bytes(client.text('half', { fin }), client.close(1001)),
        expect: {
          sent: server.close(1001),
          end: 'closes',
          close: { code: 1001, reason: '', initiator: 'peer', cause: 'CLOSED_BY_PEER' },
        },
      },
      'a continuation of nothing, final': {
        send: client.more('lost'),
        expect: fails(1002, 'CONTINUATION_WITHOUT_MESSAGE'),
      },
      'a continuation of nothing, not final': {
        send: client.more('', { fin }),
        expect: fails(1002, 'CONTINUATION_WITHOUT_MESSAGE'),
      },
      'a continuation after a whole message': {
        send: bytes(client.text('whole'), client.more('lost')),
        expect: fails(1002, 'CONTINUATION_WITHOUT_MESSAGE', { events: ['text "whole"'] }),
      },
      'a continuation after a fragmented message ended': {
        send: bytes(client.text('a', { fin }), client.more('b'), client.more('c')),
        expect: fails(1002, 'CONTINUATION_WITHOUT_MESSAGE', { events: ['text "ab"'] }),
      },
      'fragments of one message MUST NOT be interleaved with another: text in text': {
        send: bytes(client.text('a', { fin }), client.text('b')),
        expect: fails(1002, 'MESSAGE_INTERLEAVED'),
      },
      'binary in text': {
        send: bytes(client.text('a', { fin }), client.ping('p'), client.binary('b')),
        expect: fails(1002, 'MESSAGE_INTERLEAVED', { sent: server.pong('p') }),
      },
      'text in binary, not final either': {
        send: bytes(client.binary('', { fin }), client.text('', { fin })),
        expect: fails(1002, 'MESSAGE_INTERLEAVED'),
      },
      'a message in two fragments, then a whole one': {
        send: bytes(client.text('a', { fin }), client.more('b'), client.text('c')),
        expect: { events: ['text "ab"', 'text "c"'] },
      },
    })
  })

  describe('RFC 6455 5.5: control frames', () => {
    const kinds = { ping: 9, pong: 10, close: 8 } as const
    const rows: Record<string, Row> = {}
    for (const [kind, opcode] of Object.entries(kinds)) {
      rows[`a ${kind} MUST NOT be fragmented`] = {
        send: bytes(client.frame(opcode, hex('03e8'), { fin }), client.more('')),
        expect: fails(1002, 'CONTROL_FRAGMENTED'),
      }
      rows[`a ${kind} MUST have 125 bytes or less`] = {
        send: rawFrame(0x80 | opcode, 'fe 00 7e', Buffer.alloc(126)),
        expect: fails(1002, 'CONTROL_TOO_LONG', { answeredAfter: 8 }),
      }
      rows[`a ${kind} of 64 KiB`] = {
        send: rawFrame(0x80 | opcode, 'ff 00 00 00 00 00 01 00 00'),
        expect: fails(1002, 'CONTROL_TOO_LONG'),
      }
    }
    wires({
      ...rows,
      'a continuation MUST NOT continue a control frame': {
        send: bytes(client.ping('a'), client.more('b')),
        expect: fails(1002, 'CONTINUATION_WITHOUT_MESSAGE', { sent: server.pong('a') }),
      },
    })
  })

  describe('RFC 6455 5.5.2 and 5.5.3: ping and pong', () => {
    const payloads: Record<string, Buffer> = {
      empty: Buffer.alloc(0),
      'one byte': hex('00'),
      '125 bytes': Buffer.alloc(125, 0xfe),
      'bytes that are no text': hex('00 ff fe fd fc fb 00 ff'),
    }
    const rows: Record<string, Row> = {}
    for (const [what, payload] of Object.entries(payloads)) {
      rows[`a ping MUST be answered by a pong of the same payload: ${what}`] = {
        send: client.ping(payload),
        expect: { sent: server.pong(payload) },
      }
      rows[`a pong that nobody asked for is not answered: ${what}`] = {
        send: client.pong(payload),
        expect: { events: [shown('pong', payload)] },
      }
    }
    const ten = Array.from({ length: 10 }, (_, index) => `ping ${index}`)
    wires({
      ...rows,
      'ten pings, ten pongs, in order': {
        send: bytes(...ten.map((text) => client.ping(text))),
        expect: { sent: bytes(...ten.map((text) => server.pong(text))) },
      },
      'pings and messages in turn': {
        send: bytes(client.ping('a'), client.text('b'), client.ping('c'), client.binary('d')),
        expect: {
          events: ['text "b"', 'binary 64'],
          sent: bytes(server.pong('a'), server.pong('c')),
        },
      },
      'a pong in the middle of a message is told at once': {
        send: bytes(client.text('a', { fin }), client.pong('x'), client.more('b')),
        expect: { events: ['pong 78', 'text "ab"'] },
      },
    })
  })

  describe('RFC 6455 6.2: what was received is delivered', () => {
    wires({
      'in order, whatever its kind': {
        send: bytes(
          client.text('1'),
          client.binary('2'),
          client.text('3', { fin }),
          client.more('4'),
          client.text(''),
        ),
        expect: { events: ['text "1"', 'binary 32', 'text "34"', 'text ""'] },
      },
      'before the end of file': {
        send: bytes(client.text('last words')),
        thenEnd: true,
        expect: {
          events: ['text "last words"'],
          end: 'closes',
          close: { code: 1006, reason: '', initiator: 'peer', cause: 'END_OF_FILE' },
        },
      },
      'but not half a message': {
        send: bytes(client.text('whole'), client.text('half', { fin })),
        thenEnd: true,
        expect: {
          events: ['text "whole"'],
          end: 'closes',
          close: { code: 1006, reason: '', initiator: 'peer', cause: 'END_OF_FILE' },
        },
      },
      'nor half a frame': {
        send: bytes(client.text('whole'), client.text('a longer text').subarray(0, 9)),
        thenEnd: true,
        expect: {
          events: ['text "whole"'],
          end: 'closes',
          close: { code: 1006, reason: '', initiator: 'peer', cause: 'END_OF_FILE' },
        },
      },
    })
  })
})
