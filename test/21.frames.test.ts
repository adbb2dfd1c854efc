/**
 * Frames as a server meets them: RFC 6455 sections 5 and 6.
 *
 * Closing is 22, text is 23, limits are 24.
 */
import { wires, type Row } from './support/wire.js'
import { bytes, client, fails, hex, rawFrame, server, shown } from './support/wire-bytes.js'

/** Rows of one fault: every stream ends with the same answer. */
function failing(
  code: number,
  cause: Parameters<typeof fails>[1],
  streams: Record<string, Buffer>,
): Record<string, Row> {
  return Object.fromEntries(
    Object.entries(streams).map(([title, send]) => [title, { send, expect: fails(code, cause) }]),
  )
}

const zeros = (count: number): Buffer => Buffer.alloc(count)
const ramp = (count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, index) => index & 0xff))

describe('21 frames', () => {
  describe('RFC 6455 5.7: the examples, verbatim', () => {
    wires({
      'a single-frame masked text message': {
        send: hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'),
        expect: { events: ['text "Hello"'] },
      },
      'a masked pong that answers the example ping': {
        send: hex('8a 85 37 fa 21 3d 7f 9f 4d 51 58'),
        expect: { events: [`pong ${hex('48656c6c6f').toString('hex')}`] },
      },
      'the unmasked ping request is answered by the unmasked pong of the same payload': {
        send: client.ping('Hello'),
        expect: { sent: hex('8a 05 48 65 6c 6c 6f') },
      },
      'the single-frame unmasked text message is what a server sends, not what it takes': {
        send: hex('81 05 48 65 6c 6c 6f'),
        expect: fails(1002, 'FRAME_NOT_MASKED', { answeredAfter: 2 }),
      },
      'the fragmented unmasked text message, masked': {
        send: bytes(client.text('Hel', { fin: false }), client.more('lo')),
        expect: { events: ['text "Hello"'] },
      },
      '256 bytes of binary in a single frame': {
        send: rawFrame(0x82, 'fe 01 00', ramp(256)),
        expect: { events: [shown('binary', ramp(256))] },
      },
      '64 KiB of binary in a single frame': {
        send: rawFrame(0x82, 'ff 00 00 00 00 00 01 00 00', ramp(65_536)),
        expect: { events: [shown('binary', ramp(65_536))] },
        borders: [1, 2, 3, 9, 10, 13, 14, 15, 4097, 65_535, 65_536, 65_537, 65_549],
      },
    })
  })

  describe('RFC 6455 5.1: a client masks, a server does not', () => {
    const mask = false
    wires({
      ...failing(1002, 'FRAME_NOT_MASKED', {
        'the server MUST close when a text frame is not masked': client.text('Hello', { mask }),
        'nor an empty one': client.text('', { mask }),
        'nor binary': client.binary(hex('00ff'), { mask }),
        'nor a ping': client.frame(9, 'x', { mask }),
        'nor a pong': client.frame(10, '', { mask }),
        'nor a close': client.frame(8, hex('03e8'), { mask }),
        'nor a 16-bit length': hex('82 7e 01 00'),
        'nor a 64-bit length': hex('82 7f 00 00 00 00 00 01 00 00'),
      }),
      'nor a continuation, and the message in hand is lost': {
        send: bytes(client.text('a', { fin: false }), client.more('b', { mask })),
        expect: fails(1002, 'FRAME_NOT_MASKED'),
      },
      'frames before the one at fault were delivered': {
        send: bytes(
          client.text('one'),
          client.binary('two'),
          client.text('three', { mask }),
          client.text('four'),
        ),
        expect: fails(1002, 'FRAME_NOT_MASKED', { events: ['text "one"', 'binary 74776f'] }),
      },
      'a pong due for a ping before the fault leaves before the close frame': {
        send: bytes(client.ping('p'), client.text('x', { mask })),
        expect: fails(1002, 'FRAME_NOT_MASKED', { sent: server.pong('p') }),
      },
    })
  })

  describe('RFC 6455 5.2: reserved bits MUST be 0 unless an extension was negotiated', () => {
    const streams: Record<string, Buffer> = {}
    for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
      streams[`bits ${rsv} of a text frame`] = client.text('Hello', { rsv })
      streams[`bits ${rsv} of an empty binary frame`] = client.binary('', { rsv })
    }
    streams['of a ping'] = client.frame(9, '', { rsv: 4 })
    streams['of a pong'] = client.frame(10, '', { rsv: 2 })
    streams['of a close'] = client.frame(8, hex('03e8'), { rsv: 1 })
    wires({
      ...failing(1002, 'FRAME_RESERVED_BITS', streams),
      'of a continuation': {
        send: bytes(client.text('a', { fin: false }), client.more('b', { rsv: 4 })),
        expect: fails(1002, 'FRAME_RESERVED_BITS'),
      },
      'a ping before it is answered': {
        send: bytes(client.ping('a'), client.text('b', { rsv: 4 }), client.ping('c')),
        expect: fails(1002, 'FRAME_RESERVED_BITS', { sent: server.pong('a') }),
      },
    })
  })

  describe('RFC 6455 5.2: an unknown opcode MUST fail the connection', () => {
    const streams: Record<string, Buffer> = {}
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
      streams[`opcode ${opcode}, empty`] = client.frame(opcode)
      streams[`opcode ${opcode} with a payload`] = client.frame(opcode, 'reserved')
      streams[`opcode ${opcode}, not final`] = client.frame(opcode, '', { fin: false })
    }
    wires({
      ...failing(1002, 'FRAME_RESERVED_OPCODE', streams),
      'inside a message': {
        send: bytes(client.text('a', { fin: false }), client.frame(3, 'b'), client.more('c')),
        expect: fails(1002, 'FRAME_RESERVED_OPCODE'),
      },
    })
  })

  describe('RFC 6455 5.2: payload lengths', () => {
    const lengths = [0, 1, 2, 3, 124, 125, 126, 127, 128, 254, 255, 256, 1000]
    const whole = Object.fromEntries(
      lengths.map((length): [string, Row] => [
        `${length} bytes arrive whole`,
        { send: client.binary(ramp(length)), expect: { events: [shown('binary', ramp(length))] } },
      ]),
    )
    const long = Object.fromEntries(
      [65_534, 65_535, 65_536, 65_537, 131_072].map((length): [string, Row] => [
        `${length} bytes arrive whole`,
        {
          send: client.binary(ramp(length)),
          expect: { events: [shown('binary', ramp(length))] },
          borders: [1, 2, 4, 8, 10, 14, 20, length - 1, length],
        },
      ]),
    )
    wires({
      ...whole,
      ...long,
      ...failing(1002, 'FRAME_LENGTH_NOT_MINIMAL', {
        'the minimal form MUST be used: 0 in 16 bits': rawFrame(0x82, 'fe 00 00'),
        '5 in 16 bits': rawFrame(0x81, 'fe 00 05', Buffer.from('Hello')),
        '125 in 16 bits': rawFrame(0x82, 'fe 00 7d', zeros(125)),
        '0 in 64 bits': rawFrame(0x82, 'ff 00 00 00 00 00 00 00 00'),
        '125 in 64 bits': rawFrame(0x82, 'ff 00 00 00 00 00 00 00 7d', zeros(125)),
        '126 in 64 bits': rawFrame(0x82, 'ff 00 00 00 00 00 00 00 7e', zeros(126)),
        '65,535 in 64 bits, before its payload came': rawFrame(0x82, 'ff 00 00 00 00 00 00 ff ff'),
        'of a ping in 16 bits': rawFrame(0x89, 'fe 00 01', zeros(1)),
        'of a close in 64 bits': rawFrame(0x88, 'ff 00 00 00 00 00 00 00 02', hex('03e8')),
      }),
      ...failing(1002, 'FRAME_LENGTH_SIGN', {
        'the most significant bit of 64 MUST be 0': rawFrame(0x82, 'ff 80 00 00 00 00 00 00 00'),
        'all bits of 64': rawFrame(0x82, 'ff ff ff ff ff ff ff ff ff'),
        'the sign and a length below 126': rawFrame(
          0x81,
          'ff 80 00 00 00 00 00 00 05',
          Buffer.from('Hello'),
        ),
      }),
      ...failing(1009, 'MESSAGE_TOO_BIG', {
        'the largest legal length is only too big': rawFrame(0x82, 'ff 00 00 00 00 3f ff ff ff'),
      }),
      ...failing(1009, 'FRAME_TOO_BIG', {
        '2^53 + 1 is no rounding error away': rawFrame(0x82, 'ff 00 20 00 00 00 00 00 01'),
        '2^63 - 1': rawFrame(0x82, 'ff 7f ff ff ff ff ff ff ff'),
        '2^32 + 5 does not wrap': rawFrame(
          0x82,
          'ff 00 00 00 01 00 00 00 05',
          Buffer.from('Hello'),
        ),
      }),
    })
  })

  describe('RFC 6455 5.3: masking', () => {
    const keys = [
      '00 00 00 00',
      'ff ff ff ff',
      '00 00 00 01',
      '80 00 00 00',
      '01 02 03 04',
      'fe dc ba 98',
    ]
    const rows = keys.map((key): [string, Row] => [
      `octet i is XORed with octet i MOD 4 of ${key}`,
      {
        send: bytes(
          client.binary(ramp(67), { mask: hex(key) }),
          client.text('after', { mask: hex(key) }),
        ),
        expect: { events: [shown('binary', ramp(67)), 'text "after"'] },
      },
    ])
    const offsets = [31, 32, 33, 34, 35, 63, 64, 65].map((length): [string, Row] => [
      `a payload of ${length} bytes at every offset`,
      {
        send: bytes(
          client.text('x'),
          client.binary(ramp(length)),
          client.text('yz'),
          client.binary(ramp(length + 1)),
        ),
        expect: {
          events: [
            'text "x"',
            shown('binary', ramp(length)),
            'text "yz"',
            shown('binary', ramp(length + 1)),
          ],
        },
      },
    ])
    wires({
      ...Object.fromEntries([...rows, ...offsets]),
      'each frame has a key of its own': {
        send: bytes(
          client.text('Hel', { fin: false, mask: hex('01020304') }),
          client.more('lo, ', { fin: false, mask: hex('ffffffff') }),
          client.more('world', { mask: hex('00000000') }),
        ),
        expect: { events: ['text "Hello, world"'] },
      },
    })
  })
})
