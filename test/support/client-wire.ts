/**
 * One exchange on the wire as a row, for the client's role: the bytes a server sends, and
 * everything they must lead to. Run whole, split at every border, and a byte at a time, under the
 * checker, and whole again on an edge-triggered poller without generations.
 */
import assert from 'node:assert/strict'
import type { CloseInfo, FaultName } from '../../src/index.js'
import { faults } from '../../src/index.js'
import type { FakePollerOptions, MaskedFrame, ServerPeer } from '../../integrations/fake-poller.js'
import { type ClientScene, clientScene, type ClientSceneOptions, openOne } from './client-scene.js'
import { closePayload, shown } from './wire-bytes.js'

export interface ClientExpected {
  /** Callbacks in order. Default none. */
  readonly events?: readonly string[]
  /** The frames that leave, unmasked: `10 68`, `8 03e8`: opcode and payload. Default none. */
  readonly frames?: readonly string[]
  /** 'open' (default): goes on. 'waits': for the server's FIN. 'over': the descriptor is closed. */
  readonly end?: 'open' | 'waits' | 'over'
  readonly close?: CloseInfo
  /** The cause of CLIENT_CONNECTION_ERROR, and a piece of its sentence. */
  readonly error?: readonly [FaultName, string]
}

export interface ClientRow extends ClientSceneOptions {
  /** What the server sends; a function is given the right answer's maker. */
  readonly send: Uint8Array | ((server: ServerPeer) => Uint8Array | string)
  /** 'open' (default): a WebSocket already. 'new': the bytes begin with the answer. */
  readonly from?: 'open' | 'new'
  readonly thenEnd?: boolean
  readonly offers?: readonly string[]
  readonly expect: ClientExpected
  readonly borders?: readonly number[]
}

const MAX_BORDERS = 1_500

export function clientWires(rows: Readonly<Record<string, ClientRow>>): void {
  for (const [title, row] of Object.entries(rows)) it(title, () => runRow(row))
}

function runRow(row: ClientRow): void {
  const bench = sceneOf(row, {})
  for (const [way, cut] of ways(row)) runWay(row, bench, way, cut)
  runWay(row, sceneOf(row, { edge: true, gens: false }), 'edge-triggered', (bytes) => [bytes])
}

function sceneOf(row: ClientRow, poller: FakePollerOptions): ClientScene {
  return clientScene({ ...row, context: { poller, ...row.context } })
}

type Cut = (bytes: Uint8Array) => Uint8Array[]

function* ways(row: ClientRow): Generator<[string, Cut]> {
  yield ['whole', (bytes) => [bytes]]
  const length = typeof row.send === 'function' ? lengthOf(row) : row.send.length
  if (length < 2) return
  assert.ok(row.borders !== undefined || length <= MAX_BORDERS, 'too long to split everywhere')
  for (const at of row.borders ?? Array.from({ length: length - 1 }, (_, index) => index + 1))
    yield [`split at ${at}`, (bytes) => [bytes.subarray(0, at), bytes.subarray(at)]]
  if (length <= MAX_BORDERS)
    yield ['a byte at a time', (bytes) => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))]
}

/** Of an answer that only a connection tells. */
function lengthOf(row: ClientRow): number {
  const scene = sceneOf(row, {})
  const server = asked(scene, row)
  return bytesOf(row, server).length
}

function asked(scene: ClientScene, row: ClientRow): ServerPeer {
  scene.connect({
    url: 'ws://127.0.0.1:9000/chat',
    ...(row.offers === undefined ? {} : { protocol: row.offers }),
  })
  const server = scene.dialled()
  server.establish()
  scene.h.run()
  assert.ok(server.request() !== undefined, 'it asked')
  return server
}

function bytesOf({ send }: ClientRow, server: ServerPeer): Uint8Array {
  const bytes = typeof send === 'function' ? send(server) : send
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
}

function runWay(row: ClientRow, scene: ClientScene, way: string, cut: Cut): void {
  const { h, log, ends, failures, errors } = scene
  log.length = 0
  const server = row.from === 'new' ? asked(scene, row) : openOne(scene).server
  log.length = ends.length = failures.length = errors.length = 0
  for (const piece of cut(bytesOf(row, server))) {
    server.send(piece)
    h.run()
  }
  if (row.thenEnd === true) server.end()
  h.run()
  compare(row.expect, { scene, server, way })
  if (server.closed === undefined) {
    server.reset()
    h.run()
  }
}

interface Outcome {
  readonly scene: ClientScene
  readonly server: ServerPeer
  readonly way: string
}

function compare(expected: ClientExpected, { scene, server, way }: Outcome): void {
  const { events = [], frames = [], end = 'open', close, error } = expected
  const { h, log, ends, failures, errors } = scene
  const messages = log.filter((line) => !/^(?:closed|error) /.test(line))
  assert.deepEqual(messages, events, `${way}: callbacks`)
  assert.deepEqual(server.frames().map(frameShown), frames, `${way}: frames`)
  if (end === 'waits') {
    assert.equal(server.closed, undefined, `${way}: it waits for the server`)
    assert.equal(server.ended, false, `${way}: it leaves the first FIN to the server`)
    server.end()
    h.run()
  }
  assert.equal(server.closed !== undefined, end !== 'open', `${way}: how it ends`)
  assert.deepEqual(ends[0], close, `${way}: CloseInfo`)
  assert.equal(ends.length + failures.length, end === 'open' ? 0 : 1, `${way}: one end`)
  assert.deepEqual(errors, [], `${way}: onError`)
  assert.equal(failures[0]?.cause, error?.[0], `${way}: cause`)
  if (error === undefined) return
  const [{ reason, phase, target }] = failures as [(typeof failures)[0] & object]
  assert.equal(phase, 'upgrading')
  assert.equal(target, 'ws://127.0.0.1:9000/chat')
  assert.ok(reason.includes('127.0.0.1:9000'), reason)
  assert.ok(reason.includes(faults[error[0]].sentence), reason)
  assert.ok(reason.includes(error[1]), reason)
}

export function frameShown({ opcode, fin, payload }: MaskedFrame): string {
  return `${opcode}${fin ? '' : '+'} ${payload.toString('hex')}`
}

/** A broken rule after the handshake: this close code, the table's sentence. */
export function clientFails(
  closeCode: number,
  cause: FaultName,
  before: ClientExpected = {},
): ClientExpected {
  const { sentence } = faults[cause]
  const payload = closePayload(closeCode, sentence).toString('hex')
  return {
    ...before,
    frames: [...(before.frames ?? []), `8 ${payload}`],
    end: 'waits',
    close: { code: closeCode, reason: sentence, initiator: 'library', cause },
  }
}

/** `binary ...` of what a protocol hears. */
export const binary = (bytes: Uint8Array): string => shown('binary', bytes)
