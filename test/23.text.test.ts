/**
 * Text as a server takes it: RFC 6455 section 8.1 and RFC 3629, failing at the first bad byte.
 *
 * Each sequence arrives in one frame, in fragments cut at every byte, and in split frames.
 */
import assert from 'node:assert/strict'
import { runRows, wires, type Row } from './support/wire.js'
import { bytes, client, fails, hex } from './support/wire-bytes.js'

/** Sequences that are text, by what they are. */
const VALID: Readonly<Record<string, string>> = {
  'ASCII and its ends': '00 20 41 7e 7f',
  'two bytes, first and last': 'c2 80 df bf',
  'three bytes, first and last before the surrogates': 'e0 a0 80 ed 9f bf',
  'three bytes, first and last after the surrogates': 'ee 80 80 ef bf bf',
  'four bytes, first and last': 'f0 90 80 80 f4 8f bf bf',
  'Greek, the example kosme': 'ce ba e1 bd b9 cf 83 ce bc ce b5',
  'a byte order mark inside': '61 ef bb bf 62',
  'noncharacters U+FFFE and U+1FFFF': 'ef bf be f0 9f bf bf',
  'the last noncharacters': 'f4 8f bf be f4 8f bf bf',
  'every lead of three bytes': 'e1 80 80 ec bf bf ee 80 80 ef 80 80',
  'every lead of four bytes': 'f1 80 80 80 f2 bf bf bf f3 80 80 80',
  'a combining mark and an emoji': '61 cc 88 f0 9f 98 80',
}

/** Sequences that are no text, and the index of the first byte that cannot be of any. */
const INVALID: readonly (readonly [string, string, number])[] = [
  ['a lone continuation byte, the first', '80', 0],
  ['a lone continuation byte, the last', 'bf', 0],
  ['continuation bytes after a whole character', '61 c3 a4 80', 3],
  [
    'all 64 continuation bytes',
    Buffer.from(Array.from({ length: 64 }, (_, i) => 0x80 + i)).toString('hex'),
    0,
  ],
  ['impossible FE', 'fe', 0],
  ['impossible FF', '61 ff', 1],
  ['FE FE FF FF', 'fe fe ff ff', 0],
  ['an overlong slash of two bytes', 'c0 af', 0],
  ['an overlong slash of three', 'e0 80 af', 1],
  ['an overlong slash of four', 'f0 80 80 af', 1],
  ['an overlong slash of five', 'f8 80 80 80 af', 0],
  ['an overlong slash of six', 'fc 80 80 80 80 af', 0],
  ['the largest overlong of two', 'c1 bf', 0],
  ['the largest overlong of three', 'e0 9f bf', 1],
  ['the largest overlong of four', 'f0 8f bf bf', 1],
  ['an overlong NUL', 'c0 80', 0],
  ['the first surrogate, U+D800', 'ed a0 80', 1],
  ['the last high surrogate, U+DBFF', 'ed af bf', 1],
  ['the first low surrogate, U+DC00', 'ed b0 80', 1],
  ['the last surrogate, U+DFFF', 'ed bf bf', 1],
  ['a pair of surrogates', 'ed a0 81 ed b0 81', 1],
  ['above U+10FFFF', 'f4 90 80 80', 1],
  ['lead F5', 'f5 80 80 80', 0],
  ['lead F7', 'f7 bf bf bf', 0],
  ['five bytes', 'f8 88 80 80 80', 0],
  ['six bytes', 'fc 84 80 80 80 80', 0],
  ['a lead of two, then ASCII', 'c3 28', 1],
  ['a lead of three, then ASCII', 'e2 28 a1', 1],
  ['a lead of three, one continuation, then ASCII', 'e2 82 28', 2],
  ['a lead of four, then ASCII', 'f0 28 8c bc', 1],
  ['a lead of four, one continuation, then ASCII', 'f0 90 28 bc', 2],
  ['a lead of four, two continuations, then ASCII', 'f0 90 8c 28', 3],
  ['a lead, then a lead', 'c3 c3 a4', 1],
  ['kosme, then a surrogate, then text', 'ce ba e1 bd b9 ed a0 80 65 64 69 74', 6],
  ['kosme, then above U+10FFFF, then text', 'ce ba e1 bd b9 f4 90 80 80 65 64', 6],
  ['every lead without its continuation', 'c2 e1 f1', 1],
]

/** Text that ends in the middle of a character. */
const TRUNCATED: Readonly<Record<string, string>> = {
  'one of two bytes': 'c3',
  'one of three': 'e2',
  'two of three': '61 e2 82',
  'one of four': 'f0',
  'two of four': 'f0 9f',
  'three of four': '61 62 f0 9f 98',
  'two of three, the last before the surrogates': 'ed 9f',
}

/** One fragment a byte. */
function fragments(text: Buffer, last = true): Buffer {
  const parts = Array.from(text, (byte, index) =>
    client.frame(index === 0 ? 1 : 0, Buffer.of(byte), { fin: last && index === text.length - 1 }),
  )
  return bytes(...parts)
}

/** Bytes of a masked frame's header, below 126 bytes of payload. */
const HEADER_BYTES = 6

describe('23 text', () => {
  describe('RFC 6455 8.1: valid UTF-8 is delivered as it came', () => {
    const rows: Record<string, Row> = {}
    for (const [what, text] of Object.entries(VALID)) {
      const data = hex(text)
      const events = [`text ${JSON.stringify(data.toString())}`]
      rows[`${what}, in one frame`] = { send: client.text(data), expect: { events } }
      rows[`${what}, a byte a fragment`] = { send: fragments(data), expect: { events } }
    }
    wires(rows)

    it('in every pair of fragments, whatever the cut', () => {
      const data = bytes(...Object.values(VALID).map(hex))
      const events = [`text ${JSON.stringify(data.toString())}`]
      const cuts = Array.from({ length: data.length + 1 }, (_, cut) => cut)
      runRows(
        cuts.map((cut) => {
          const [a, b] = [data.subarray(0, cut), data.subarray(cut)]
          const send = bytes(client.text(a, { fin: false }), client.more(b))
          return { send, expect: { events }, borders: [cut + HEADER_BYTES] }
        }),
      )
    })
  })

  describe('RFC 6455 8.1: text that is not valid UTF-8 MUST fail the connection, with 1007', () => {
    const rows: Record<string, Row> = {}
    for (const [what, text, badAt] of INVALID) {
      const data = hex(text)
      const before = HEADER_BYTES + badAt + 1
      rows[`${what}, in one frame`] = {
        send: client.text(data),
        expect: fails(1007, 'TEXT_UTF8', { answeredAfter: before }),
      }
      rows[`${what}, a byte a fragment`] = {
        send: fragments(data),
        expect: fails(1007, 'TEXT_UTF8', { answeredAfter: (HEADER_BYTES + 1) * (badAt + 1) }),
      }
      rows[`${what}, in a frame whose end never comes`] = {
        send: client.text(bytes(data, 'and more')).subarray(0, HEADER_BYTES + data.length),
        expect: fails(1007, 'TEXT_UTF8', { answeredAfter: before }),
      }
    }
    wires(rows)
  })

  describe('RFC 6455 8.1: a message that ends inside a character is not text', () => {
    const rows: Record<string, Row> = {}
    for (const [what, text] of Object.entries(TRUNCATED)) {
      const data = hex(text)
      rows[`${what}, in one frame`] = { send: client.text(data), expect: fails(1007, 'TEXT_UTF8') }
      rows[`${what}, a byte a fragment`] = {
        send: fragments(data),
        expect: fails(1007, 'TEXT_UTF8'),
      }
      rows[`${what}, and an empty last fragment`] = {
        send: bytes(fragments(data, false), client.more('')),
        expect: fails(1007, 'TEXT_UTF8'),
      }
      rows[`${what}, where more may come: no fault yet`] = {
        send: bytes(fragments(data, false), client.ping('still here')),
        expect: { sent: hex(`8a0a${Buffer.from('still here').toString('hex')}`) },
      }
    }
    wires(rows)
  })

  describe('RFC 6455 8.1: only text is looked at', () => {
    wires({
      'binary may hold anything': {
        send: bytes(
          client.binary(hex('ff fe ed a0 80')),
          client.binary(hex('c3'), { fin: false }),
          client.more(hex('28')),
        ),
        expect: { events: ['binary fffeeda080', 'binary c328'] },
      },
      'the check begins anew with each message': {
        send: bytes(client.text(hex('c3 a4')), client.text(hex('a4'))),
        expect: fails(1007, 'TEXT_UTF8', { events: ['text "ä"'] }),
      },
      'a character is not continued by the next message': {
        send: bytes(client.text(hex('e2 82'), { fin: false }), client.binary(hex('ac'))),
        expect: fails(1002, 'MESSAGE_INTERLEAVED'),
      },
    })
  })

  it('agrees with TextDecoder about a thousand texts of three bytes and more', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const thirds = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xff]
    const rows: Row[] = []
    let valid = 0
    for (const first of [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef])
      for (let second = 0; second < 256; second += 13)
        for (const third of thirds) {
          const data = Buffer.of(first, second, third)
          const good = decodes(decoder, data)
          if (good) valid++
          const events = [`text ${JSON.stringify(data.toString())}`]
          const expect = good ? { events } : fails(1007, 'TEXT_UTF8')
          rows.push({ send: client.text(data), expect, borders: [HEADER_BYTES + 1] })
        }
    runRows(rows)
    assert.ok(valid > 100, `${valid} of them were valid`)
  }).timeout(20_000)
})

function decodes(decoder: InstanceType<typeof TextDecoder>, data: Uint8Array): boolean {
  try {
    decoder.decode(data)
    return true
  } catch {
    return false
  }
}
