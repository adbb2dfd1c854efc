/** What a client sends: masked, with a key of its own for each frame, in a copy, in order. */
import assert from 'node:assert/strict'
import {
  BINARY,
  close,
  PING,
  prepareFrame,
  TEXT,
  write,
  writePrepared,
  type Wsi,
} from '../src/index.js'
import { openClient } from './support/client-scene.js'
import { campaign } from './support/effort.js'

const KEYS = campaign(1_000_000)

/** The keys of so many frames. @param seed of the host's entropy */
function keysOf(seed: number, count: number): number[] {
  const { server, h, wsi } = openClient({ context: { poller: { seed } } })
  const keys: number[] = []
  while (keys.length < count) {
    for (let sent = 0; sent < 5_000; sent++) write(wsi, '', PING)
    h.run()
    const bytes = server.take()
    for (let at = 0; at < bytes.length; at += 6) keys.push(bytes.readUInt32LE(at + 2))
  }
  return keys
}

describe('34 client masking: what is sent is masked (RFC 6455 5.1, 5.3)', () => {
  const sizes = [0, 1, 3, 4, 47, 48, 49, 125, 126, 1_023, 1_024, 16_384, 65_535, 65_536, 65_537]
  const sent = (send: (wsi: Wsi, data: Buffer) => unknown, length: number): void => {
    const { server, h, wsi } = openClient()
    const data = Buffer.from(Array.from({ length }, (_, index) => 97 + (index % 26)))
    const before = Buffer.from(data)
    send(wsi, data)
    h.run()
    assert.deepEqual(data, before, 'the caller’s memory stays as it was')
    const [frame, ...more] = server.frames()
    assert.equal(more.length, 0)
    assert.notEqual(frame!.key, 0)
    assert.ok(frame!.payload.equals(data), `${length} bytes`)
  }
  for (const length of [...sizes, 200_000, 900_000]) {
    it(`${length} bytes, as bytes, text and prepared`, () => {
      sent((wsi, data) => write(wsi, data, BINARY), length)
      sent((wsi, data) => write(wsi, data.toString(), TEXT), length)
      sent((wsi, data) => writePrepared(wsi, prepareFrame(data, TEXT)), length)
    })
  }

  it('in order through a full window, whatever the kernel takes', () => {
    const { server, h, wsi } = openClient()
    server.windowBytes = 1_000
    const sizes = [10, 70_000, 5, 200_000, 0, 30]
    for (const [index, size] of sizes.entries()) write(wsi, Buffer.alloc(size, index), BINARY)
    close(wsi)
    const frames = []
    for (let step = 0; step < 1_000 && frames.length < sizes.length + 1; step++) {
      h.run()
      frames.push(...server.frames())
    }
    const shown = frames.map(({ opcode, payload }) => [opcode, payload.length, payload[0]])
    assert.deepEqual(shown, [
      [2, 10, 0],
      [2, 70_000, 1],
      [2, 5, 2],
      [2, 200_000, 3],
      [2, 0, undefined],
      [2, 30, 5],
      [8, 2, 3],
    ])
  })

  it('keys come from the host: the same entropy, the same keys; another, others', () => {
    const [keys, again, others] = [keysOf(7, 5_000), keysOf(7, 5_000), keysOf(8, 5_000)]
    assert.deepEqual(again, keys)
    const known = new Set(keys)
    const common = others.filter((key) => known.has(key)).length
    assert.ok(common < 3, `${common} keys are those of other entropy`)
  })

  /**
   * 32 random bits repeat: of a million about 116 do (the birthday bound), and keys that never did
   * could be foretold. Two in a row are 64 bits: were entropy used again, these would repeat.
   */
  it(`${KEYS} keys: none given out twice`, function () {
    this.timeout(30_000)
    const keys = keysOf(7, KEYS)
    const repeats = keys.length - new Set(keys).size
    assert.ok(repeats < 250, `${repeats} of ${KEYS} came twice`)
    const pairs = new Set<bigint>()
    for (let at = 0; at + 1 < keys.length; at += 2)
      pairs.add((BigInt(keys[at]!) << 32n) | BigInt(keys[at + 1]!))
    assert.equal(pairs.size, keys.length / 2)
  })
})
