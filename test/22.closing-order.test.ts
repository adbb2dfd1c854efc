/**
 * Who closes when: the order of close frame, FIN, DEL, close(2) and CLOSED (C3, C19; RFC 6455 7.1).
 */
import assert from 'node:assert/strict'
import {
  batch,
  close,
  contextDestroy,
  getPeerAddresses,
  hangup,
  type Handlers,
  TEXT,
  write,
} from '../src/index.js'
import { openScene, scene, taken, type OpenScene } from './support/scene.js'
import { bytes, client, hex, server, validRequest } from './support/wire-bytes.js'

/** A scene that also logs the close of the descriptor and what the address says inside CLOSED. */
function ordered(handlers: Handlers<undefined> = {}): OpenScene & { order: string[] } {
  const order: string[] = []
  const opened = openScene({ handlers })
  const { h, peer } = opened
  h.ctx.on('DEL_POLL_FD', () => void order.push(`DEL, ${peer.closed ?? 'open'}`))
  return { ...opened, order }
}

describe('22 closing order', () => {
  it('RFC 6455 7.1.1: after both close frames the server closes first', () => {
    const { h, peer, log, order } = ordered()
    peer.send(client.close(1000))
    h.run()
    assert.deepEqual(peer.take(), server.close(1000))
    assert.deepEqual([order, peer.closed, peer.wasReset], [['DEL, open'], 'close', false])
    assert.deepEqual(log, ['closed 1000 CLOSED_BY_PEER'])
  })

  it('RFC 6455 7.1.7: after a fault it sends close frame and FIN, and waits for the peer', () => {
    const { h, peer, log, order } = ordered()
    peer.send(client.frame(3))
    h.run()
    assert.deepEqual([peer.ended, peer.closed, order, log], [true, undefined, [], []])
    peer.send(bytes(client.text('more'), client.text('and more')))
    h.run()
    assert.equal(peer.unreadBytes, 0, 'it reads on, so that closing resets nothing away')
    assert.equal(peer.closed, undefined)
    peer.end()
    h.run()
    assert.deepEqual(
      [order, peer.closed, log],
      [['DEL, open'], 'close', ['closed 1002 FRAME_RESERVED_OPCODE']],
    )
  })

  it('C3: the address is known while CLOSED runs, and not afterwards', () => {
    const seen: unknown[] = []
    const opened = openScene({
      handlers: { CLOSED: () => void seen.push(getPeerAddresses(opened.h.ctx, fd).port > 0) },
    })
    const { fd } = opened.peer
    opened.peer.end()
    opened.h.run()
    assert.deepEqual([seen, getPeerAddresses(opened.h.ctx, fd).port], [[true], 0])
  })

  it('RFC 6455 5.5.1: after its close frame the server sends no more data', () => {
    const { h, wsi, peer } = openScene()
    batch(h.ctx, () => {
      write(wsi, 'before', TEXT)
      close(wsi, 1000, 'done')
      assert.equal(write(wsi, 'after', TEXT), 'closed')
      assert.equal(close(wsi), false)
    })
    peer.send(bytes(client.ping('x'), client.text('still received')))
    h.run()
    assert.deepEqual(peer.take(), bytes(server.frame(1, 'before'), server.close(1000, 'done')))
  })

  it('RFC 6455 1.4: between its close frame and that of the peer the server still receives', () => {
    const { h, wsi, peer, log } = openScene()
    close(wsi, 4001)
    peer.send(bytes(client.text('crossed'), client.close(4001)))
    h.run()
    assert.deepEqual(log, ['text crossed', 'closed 4001 CLOSED_BY_APPLICATION'])
  })

  it('simultaneous close: each takes the frame of the other as its answer', () => {
    const { h, wsi, peer, ends } = openScene()
    peer.send(client.close(1001))
    close(wsi, 3000)
    h.run()
    assert.deepEqual(peer.take(), bytes(server.close(3000)))
    assert.deepEqual([peer.closed, ends.length, ends[0]?.initiator], ['close', 1, 'application'])
  })

  it('what was written before close() leaves before the close frame, however slowly', () => {
    const { h, wsi, peer, log } = openScene()
    peer.windowBytes = 10
    write(wsi, 'x'.repeat(100), TEXT)
    close(wsi, 1000)
    const got = [peer.take()]
    for (let i = 0; i < 20; i++) {
      h.run()
      got.push(peer.take())
    }
    assert.deepEqual(bytes(...got), bytes(server.frame(1, 'x'.repeat(100)), server.close(1000)))
    peer.send(client.close(1000))
    h.run()
    assert.deepEqual(log, ['closed 1000 CLOSED_BY_APPLICATION'])
  })

  it('the answer to a close frame is flushed before the descriptor goes', () => {
    const { h, wsi, peer, log } = openScene()
    peer.windowBytes = 0
    write(wsi, 'queued', TEXT)
    peer.send(client.close(1000))
    h.run()
    assert.deepEqual([peer.closed, log], [undefined, []])
    peer.windowBytes = 5
    h.run()
    const first = peer.take()
    peer.windowBytes = 1000
    h.run()
    assert.deepEqual(
      bytes(first, peer.take()),
      bytes(server.frame(1, 'queued'), server.close(1000)),
    )
    assert.deepEqual([peer.closed, log], ['close', ['closed 1000 CLOSED_BY_PEER']])
  })

  describe('RFC 6455 7.1.5: where no close frame came from the peer, the code is 1006', () => {
    const told = (code: number, cause: string) => ({
      code,
      reason: '',
      initiator: 'application',
      cause,
    })
    it('at an end of file after ours', () => {
      const { h, wsi, peer, ends } = openScene()
      close(wsi, 1000)
      peer.end()
      h.run()
      assert.deepEqual(ends, [told(1006, 'END_OF_FILE')])
    })

    it('at a reset after ours', () => {
      const { h, wsi, peer, ends } = openScene()
      close(wsi, 1000)
      peer.reset()
      h.run()
      assert.deepEqual(ends, [told(1006, 'TRANSPORT_ERROR')])
    })

    it('at the end of closeTimeoutMs after ours', () => {
      const { h, wsi, ends } = openScene()
      close(wsi, 1000)
      h.poller.runFor(h.ctx, 10_000)
      assert.deepEqual(ends, [told(1006, 'CLOSE_TIMEOUT')])
    })
  })

  it('C19: CLOSED exactly once, whoever ends it twice', () => {
    const { h, wsi, peer, log } = openScene()
    batch(h.ctx, () => {
      close(wsi)
      assert.equal(hangup(wsi), true)
      assert.equal(hangup(wsi), false)
    })
    peer.send(client.close(1000))
    peer.end()
    h.run()
    assert.deepEqual([taken(log).length, write(wsi, 'x', TEXT), close(wsi)], [1, 'closed', false])
  })

  it('hangup: a reset, 1006, nothing more sent', () => {
    const { h, wsi, peer, ends } = openScene()
    peer.windowBytes = 0
    write(wsi, 'queued', TEXT)
    hangup(wsi)
    assert.deepEqual([peer.closed, peer.take().length, ends[0]?.cause], ['abort', 0, 'HUNG_UP'])
    h.run()
  })

  it('an error of recv ends it with 1006 and what came before it is delivered', () => {
    const { h, peer, log } = openScene()
    peer.send(client.text('before'))
    peer.reset()
    h.run()
    assert.deepEqual(log, ['text before', 'closed 1006 TRANSPORT_ERROR'])
  })

  it('a close frame in two halves around a pause of the network', () => {
    const { h, peer, log } = openScene()
    const frame = client.close(3999, 'split')
    peer.send(frame.subarray(0, 3))
    h.run()
    peer.send(frame.subarray(3))
    h.run()
    assert.deepEqual([peer.take(), log], [server.close(3999), ['closed 3999 CLOSED_BY_PEER']])
  })

  it('C27: destroy sends 1001 to the open ones, nothing to others, and closes everything', () => {
    const { h, log } = scene()
    const open = h.open()
    const half = h.connect()
    half.send(validRequest().slice(0, 20))
    h.run()
    const blocked = h.open()
    blocked.take()
    blocked.windowBytes = 0
    contextDestroy(h.ctx)
    assert.deepEqual(
      open.frames().map((frame) => frame.payload),
      [hex('03e9')],
    )
    assert.deepEqual([half.take().length, blocked.take().length], [0, 0])
    assert.deepEqual(log, ['closed 1001 CONTEXT_DESTROYED', 'closed 1001 CONTEXT_DESTROYED'])
    assert.deepEqual(h.poller.openFds, [])
  })
})
