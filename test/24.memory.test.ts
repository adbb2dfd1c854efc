/** What an idle connection keeps for itself: as few fields as it can do with. */
import assert from 'node:assert/strict'
import { callbackOnWritable, close, rxFlowControl, TEXT, write } from '../src/index.js'
import { openScene } from './support/scene.js'

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
})
