/** C27: what is left of a context once its end was asked for, from inside a callback too. */
import assert from 'node:assert/strict'
import {
  broadcast,
  close,
  contextDestroy,
  getProtocol,
  hangup,
  prepareFrame,
  TEXT,
  write,
  writePrepared,
} from '../src/index.js'
import { openScene, scene } from './support/scene.js'
import { client, server, validRequest } from './support/wire-bytes.js'

describe('29 destroy', () => {
  it('C27: after contextDestroy in a callback nothing more is taken', () => {
    const answers: unknown[] = []
    const { h, peer, log } = openScene({
      handlers: {
        RECEIVE(wsi) {
          contextDestroy(h.ctx)
          answers.push(write(wsi, 'x', TEXT), close(wsi))
          answers.push(writePrepared(wsi, prepareFrame('y', TEXT)))
        },
      },
    })
    peer.send(client.text('end'))
    h.run()
    assert.deepEqual(answers, ['closed', false, 'closed'])
    assert.deepEqual(peer.take(), server.close(1001))
    assert.deepEqual(log, ['closed 1001 CONTEXT_DESTROYED'])
  })

  it('C27: afterwards every call answers that it is over, and changes nothing', () => {
    const { h, wsi, peer } = openScene()
    const protocol = getProtocol(wsi)!
    contextDestroy(h.ctx)
    peer.take()
    const answers = [write(wsi, 'x', TEXT), close(wsi), hangup(wsi), broadcast(protocol, 'x')]
    assert.deepEqual(answers, ['closed', false, false, 0])
    contextDestroy(h.ctx)
    assert.equal(peer.take().length, 0)
  })

  it('C27: in a callback of one who was just accepted, nobody else is', () => {
    const log: string[] = []
    const { h } = scene({
      handlers: {
        ESTABLISHED() {
          log.push('opened')
          contextDestroy(h.ctx)
        },
        CLOSED: () => void log.push('closed'),
      },
    })
    for (let peer = 0; peer < 3; peer++) h.connect().send(validRequest())
    h.run()
    assert.deepEqual([log, h.poller.counts.accept], [['opened', 'closed'], 1])
  })
})
