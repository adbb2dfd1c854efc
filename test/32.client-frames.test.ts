/**
 * Frames as a client meets them: RFC 6455 sections 5 to 8, on the wire.
 *
 * The parser is the server's (21 to 24); what is shown here is the other role.
 */
import type { CloseInfo } from '../src/index.js'
import { clientFails, clientWires, type ClientRow, binary } from './support/client-wire.js'
import { bytes, client, hex, rawFrame, server } from './support/wire-bytes.js'

const ramp = (count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, index) => index & 0xff))

function failing(
  code: number,
  cause: Parameters<typeof clientFails>[1],
  streams: Readonly<Record<string, Buffer>>,
): Record<string, ClientRow> {
  return Object.fromEntries(
    Object.entries(streams).map(([title, send]) => [
      title,
      { send, expect: clientFails(code, cause) },
    ]),
  )
}

/** A server's frame whose header is written by hand. */
const raw = (first: number, length: string, payload: Uint8Array = Buffer.alloc(0)): Buffer =>
  bytes(Buffer.of(first), hex(length), payload)

describe('32 client frames', () => {
  describe('RFC 6455 5.7: the examples, verbatim', () => {
    clientWires({
      'a single-frame unmasked text message': {
        send: hex('81 05 48 65 6c 6c 6f'),
        expect: { events: ['text "Hello"'] },
      },
      'a fragmented unmasked text message': {
        send: hex('01 03 48 65 6c 80 02 6c 6f'),
        expect: { events: ['text "Hello"'] },
      },
      'an unmasked ping request is answered by a masked pong': {
        send: hex('89 05 48 65 6c 6c 6f'),
        expect: { frames: ['10 48656c6c6f'] },
      },
      '256 bytes of binary in a single frame': {
        send: raw(0x82, '7e 01 00', ramp(256)),
        expect: { events: [binary(ramp(256))] },
      },
      '64 KiB of binary in a single frame': {
        send: raw(0x82, '7f 00 00 00 00 00 01 00 00', ramp(65_536)),
        expect: { events: [binary(ramp(65_536))] },
        borders: [1, 2, 3, 9, 10, 11, 4_096, 65_535, 65_536, 65_545],
      },
    })
  })

  describe('RFC 6455 5.1: a client MUST close a connection if it detects a masked frame', () => {
    clientWires({
      ...failing(1002, 'FRAME_MASKED', {
        text: client.text('Hello'),
        'an empty one': client.text(''),
        'with the key 0': client.text('Hello', { mask: hex('00000000') }),
        binary: client.binary('x'),
        ping: client.ping('x'),
        pong: client.pong('x'),
        close: client.close(1000),
        'in 16 bits': rawFrame(0x82, 'fe 01 00'),
      }),
      'frames before it were delivered': {
        send: bytes(server.frame(1, 'one'), client.text('two'), server.frame(1, 'three')),
        expect: clientFails(1002, 'FRAME_MASKED', { events: ['text "one"'] }),
      },
    })
  })

  describe('RFC 6455 5.2: reserved bits, opcodes and lengths', () => {
    const bits: Record<string, Buffer> = {}
    for (const rsv of [1, 2, 3, 4, 5, 6, 7])
      bits[`bits ${rsv}`] = raw(0x81 | (rsv << 4), '01', hex('61'))
    const opcodes: Record<string, Buffer> = {}
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
      opcodes[`opcode ${opcode}`] = server.frame(opcode, 'x')
    clientWires({
      ...failing(1002, 'FRAME_RESERVED_BITS', bits),
      ...failing(1002, 'FRAME_RESERVED_OPCODE', opcodes),
      ...failing(1002, 'FRAME_LENGTH_NOT_MINIMAL', {
        '5 in 16 bits': raw(0x81, '7e 00 05', Buffer.from('Hello')),
        '65,535 in 64 bits': raw(0x82, '7f 00 00 00 00 00 00 ff ff'),
      }),
      ...failing(1002, 'FRAME_LENGTH_SIGN', {
        'the sign of 64 bits': raw(0x82, '7f 80 00 00 00 00 00 00 00'),
      }),
      ...failing(1009, 'FRAME_TOO_BIG', { '2^53 + 1': raw(0x82, '7f 00 20 00 00 00 00 00 01') }),
      ...failing(1009, 'MESSAGE_TOO_BIG', {
        'more than maxMessageBytes': raw(0x82, '7f 00 00 00 00 00 10 00 01'),
      }),
    })
    const lengths = [0, 1, 2, 124, 125, 126, 127, 128, 1_000]
    clientWires(
      Object.fromEntries(
        lengths.map((length): [string, ClientRow] => [
          `${length} bytes arrive whole`,
          { send: server.frame(2, ramp(length)), expect: { events: [binary(ramp(length))] } },
        ]),
      ),
    )
  })

  describe('RFC 6455 5.4 and 5.5: fragments and control frames', () => {
    clientWires({
      'in three pieces, a ping between': {
        send: bytes(
          server.frame(1, 'a', false),
          server.frame(9, 'p'),
          server.frame(0, 'b', false),
          server.frame(0, 'c'),
        ),
        expect: { events: ['text "abc"'], frames: ['10 70'] },
      },
      'an unasked-for pong is heard': {
        send: server.frame(10, 'h'),
        expect: { events: ['pong 68'] },
      },
      ...failing(1002, 'CONTINUATION_WITHOUT_MESSAGE', { 'a continuation': server.frame(0, 'x') }),
      ...failing(1002, 'MESSAGE_INTERLEAVED', {
        'a message inside a message': bytes(server.frame(1, 'a', false), server.frame(1, 'b')),
      }),
      ...failing(1002, 'CONTROL_FRAGMENTED', { 'a ping in pieces': server.frame(9, 'x', false) }),
      ...failing(1002, 'CONTROL_TOO_LONG', { '126 bytes': server.frame(9, ramp(126)) }),
      ...failing(1007, 'TEXT_UTF8', {
        'a lone continuation byte': server.frame(1, hex('80')),
        'half a character at the end': server.frame(1, hex('e282')),
        'in the second piece': bytes(server.frame(1, 'a', false), server.frame(0, hex('ff'))),
      }),
    })
  })

  describe('RFC 6455 5.5.1 and 7: closing, where the server ends the transport first', () => {
    const peer = (code: number, reason = ''): CloseInfo => ({
      code,
      reason,
      initiator: 'peer',
      cause: 'CLOSED_BY_PEER',
    })
    clientWires({
      'the code is echoed, masked': {
        send: server.close(1000, 'bye'),
        expect: { frames: ['8 03e8'], end: 'waits', close: peer(1000, 'bye') },
      },
      'no code': {
        send: server.close(),
        expect: { frames: ['8 '], end: 'waits', close: peer(1005) },
      },
      'with the FIN right behind it': {
        send: server.close(1001),
        thenEnd: true,
        expect: { frames: ['8 03e9'], end: 'over', close: peer(1001) },
      },
      'a FIN without a close frame': {
        send: server.frame(1, 'last'),
        thenEnd: true,
        expect: {
          events: ['text "last"'],
          end: 'over',
          close: { code: 1006, reason: '', initiator: 'peer', cause: 'END_OF_FILE' },
        },
      },
      'nothing counts behind the close frame': {
        send: bytes(server.close(1000), server.frame(1, 'late'), server.frame(9, 'p')),
        expect: { frames: ['8 03e8'], end: 'waits', close: peer(1000) },
      },
      ...failing(1002, 'CLOSE_LENGTH', { 'half a code': server.frame(8, hex('03')) }),
      ...failing(1002, 'CLOSE_CODE', {
        '1005 on the wire': server.close(1005),
        '1006 on the wire': server.close(1006),
        '999': server.close(999),
        '5000': server.close(5000),
      }),
      ...failing(1007, 'CLOSE_REASON_UTF8', { 'a bad reason': server.frame(8, hex('03e8ff')) }),
    })
  })
})
