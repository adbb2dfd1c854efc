/** What an idle connection keeps for itself, and whose the memory of messages is. */
import assert from 'node:assert/strict'
import { callbackOnWritable, close, rxFlowControl, TEXT, write } from '../src/index.js'
import { SpareMemory } from '../src/connection/spare-memory.js'
import { openScene } from './support/scene.js'
import { client } from './support/wire-bytes.js'

const KIB = 1024

/** Two messages in two pieces each: where they lay, and what lies there when both have come. */
function receivedInPieces(payload: 'copy' | 'view'): Buffer[] {
  const received: Buffer[] = []
  const { h, peer } = openScene({
    protocol: { payload },
    handlers: { RECEIVE: (_wsi, data) => void received.push(data) },
  })
  for (const letter of 'ab') {
    const frame = client.text(letter.repeat(100 * KIB))
    for (const piece of [frame.subarray(0, 60 * KIB), frame.subarray(60 * KIB)]) {
      peer.send(piece)
      h.run()
    }
  }
  return received
}

describe('24 memory', () => {
  it('no yes or no of a connection takes a field: each is a bit, whatever happened to it', () => {
    const { h, wsis } = openScene()
    const [wsi] = wsis
    const fields = Object.keys(wsi!)
    rxFlowControl(wsi!, false)
    callbackOnWritable(h.ctx, wsi!)
    write(wsi!, 'a', TEXT)
    h.run()
    rxFlowControl(wsi!, true)
    close(wsi!)
    h.run()
    assert.deepEqual(Object.keys(wsi!), fields, 'none came')
    const own = Object.entries(wsi!).filter(([, value]) => typeof value === 'boolean')
    assert.deepEqual(
      own.map(([name]) => name),
      ['live', 'touched'],
      "the poll table's own two",
    )
  })
  it('what came in pieces and is copied belongs to the application for ever', () => {
    const [first, second] = receivedInPieces('copy')
    assert.equal(first!.toString(), 'a'.repeat(100 * KIB))
    assert.equal(second!.toString(), 'b'.repeat(100 * KIB))
  })

  it('as a view it lies where the one before lay', () => {
    const [first, second] = receivedInPieces('view')
    assert.equal(second!.toString(), 'b'.repeat(100 * KIB))
    assert.equal(first!.buffer, second!.buffer)
  })

  it('spare memory is given out once, to who needs about as much, and is bounded', () => {
    const spares = new SpareMemory()
    const [large, small] = [Buffer.alloc(64 * KIB), Buffer.alloc(8 * KIB)]
    spares.give(large)
    spares.give(small)
    assert.equal(spares.take(40 * KIB), large)
    assert.notEqual(spares.take(40 * KIB), large)
    spares.give(large)
    assert.equal(spares.take(20 * KIB).length, 20 * KIB, 'too much of it')
    assert.notEqual(spares.take(64 * KIB), large, 'and what does not fit is given up')
    assert.equal(spares.take(8 * KIB).length, 8 * KIB)
    const many: Buffer[] = Array.from({ length: 20 }, () => Buffer.alloc(64 * KIB))
    for (const buffer of many) spares.give(buffer)
    const back = many.map(() => spares.take(64 * KIB))
    assert.equal(back.filter((buffer) => many.includes(buffer)).length, 16, 'a mebibyte of them')
    assert.equal(new Set(back).size, 20)
  })
})
