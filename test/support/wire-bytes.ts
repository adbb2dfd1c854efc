/**
 * Bytes for the wire tests: frames of both sides, requests good and bad, and what must be expected
 * of a broken rule. Shares no code with the library.
 */
import { faults, type FaultName } from '../../src/index.js'
import { encodeClientFrame, type FrameToSend } from '../../integrations/fake-poller.js'
import type { Expected } from './wire-expected.js'

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Hexadecimal, spaces allowed. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}

export function bytes(...parts: readonly (Uint8Array | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
}

type More = Omit<FrameToSend, 'opcode' | 'payload'>
type Payload = string | Uint8Array

/** Frames of a client, masked. */
export const client = {
  frame: (opcode: number, payload: Payload = '', more: More = {}): Buffer =>
    encodeClientFrame({ opcode, payload, ...more }),
  text: (payload: Payload, more: More = {}): Buffer =>
    encodeClientFrame({ opcode: 1, payload, ...more }),
  binary: (payload: Payload, more: More = {}): Buffer =>
    encodeClientFrame({ opcode: 2, payload, ...more }),
  more: (payload: Payload, more: More = {}): Buffer =>
    encodeClientFrame({ opcode: 0, payload, ...more }),
  ping: (payload: Payload = ''): Buffer => encodeClientFrame({ opcode: 9, payload }),
  pong: (payload: Payload = ''): Buffer => encodeClientFrame({ opcode: 10, payload }),
  close: (code?: number, reason: Payload = ''): Buffer =>
    encodeClientFrame({ opcode: 8, payload: closePayload(code, reason) }),
}

/** Frames of a server: not masked. */
export const server = {
  frame: (opcode: number, payload: Payload = '', fin = true): Buffer =>
    encodeClientFrame({ opcode, payload, fin, mask: false }),
  pong: (payload: Payload = ''): Buffer => server.frame(10, payload),
  close: (code?: number, reason = ''): Buffer => server.frame(8, closePayload(code, reason)),
}

export function closePayload(code?: number, reason: Payload = ''): Buffer {
  if (code === undefined) return Buffer.alloc(0)
  return bytes(Buffer.of(code >> 8, code & 0xff), reason)
}

/** A frame whose header is written by hand, with the key of 5.7; the payload may belie it. */
export function rawFrame(
  first: number,
  lengthField: string,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const masked = Buffer.from(payload)
  const key = hex('37fa213d')
  for (const [index, byte] of payload.entries()) masked[index] = byte ^ (key[index % 4] ?? 0)
  return bytes(Buffer.of(first), hex(lengthField), key, masked)
}

/** Short bytes in full, long ones by length and both ends. */
export function shown(kind: string, data: Uint8Array): string {
  const all = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  if (all.length <= 160) return `${kind} ${all.toString('hex')}`
  const ends = [all.subarray(0, 16), all.subarray(-8)].map((end) => end.toString('hex'))
  return `${kind} of ${all.length}: ${ends.join('..')}`
}

/** A broken rule: this close code, the table's sentence, FIN; CLOSED once the peer ended too. */
export function fails(closeCode: number, cause: FaultName, before: Expected = {}): Expected {
  const { sentence } = faults[cause]
  return {
    ...before,
    sent: bytes(before.sent ?? '', server.close(closeCode, sentence)),
    end: 'lingers',
    close: { code: closeCode, reason: sentence, initiator: 'library', cause },
  }
}

/** The peer closed: its code is echoed, the descriptor closed, CLOSED tells code and reason. */
export function closedByPeer(code?: number, reason = '', before: Expected = {}): Expected {
  return {
    ...before,
    sent: bytes(before.sent ?? '', server.close(code)),
    end: 'closes',
    close: { code: code ?? 1005, reason, initiator: 'peer', cause: 'CLOSED_BY_PEER' },
  }
}

/** An HTTP answer that refuses, FIN, and no CLOSED. */
export function refused(status: number, more: Expected = {}): Expected {
  return { status, end: 'lingers', ...more }
}

export type Fields = Readonly<Record<string, string | undefined>>

/** The request of RFC 6455 1.2, without Origin and subprotocols. Undefined fields are left out. */
export function validRequest(fields: Fields = {}, line = 'GET /chat HTTP/1.1'): string {
  const all: Fields = {
    Host: 'server.example.com',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...fields,
  }
  const lines = Object.entries(all).map(([name, value]) =>
    value === undefined ? '' : `${name}: ${value}\r\n`,
  )
  return `${line}\r\n${lines.join('')}\r\n`
}

/** The answer to it, as RFC 6455 1.3 works it out. */
export function switching(protocol = ''): string {
  const chosen = protocol === '' ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n${chosen}\r\n`
  )
}
