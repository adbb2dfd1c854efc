/**
 * Files too large for one send: in constant memory, as the peer takes them, and whatever happens
 * meanwhile, no descriptor of a file outlives its answer.
 */
import assert from 'node:assert/strict'
import {
  contextDestroy,
  digest,
  Errno,
  hangup,
  limits,
  pollFds,
  serveHttpFile,
} from '../src/index.js'
import { fakePoller, type WsPeer } from '../integrations/fake-poller.js'
import {
  type FileScene,
  fileScene,
  type FileSceneOptions,
  MODIFIED_MS,
  readAnswer,
  requestText,
  ROOT,
  splitAnswer,
} from './support/http-files.js'

const OPTIONS = { modifiedMs: MODIFIED_MS }

describe('37 a large file', () => {
  const SIZE = 1_000_000
  const content = Buffer.from(Array.from({ length: SIZE }, (_, at) => (at * 7) % 253))

  function bigScene(options: FileSceneOptions = {}): FileScene & { readonly peer: WsPeer } {
    const scene = fileScene(options)
    scene.files.put(`${ROOT}/big`, content, OPTIONS)
    const peer = scene.h.connect()
    peer.windowBytes = 50_000
    return { ...scene, peer }
  }

  /** Takes what arrives until nothing more does. */
  function drain(scene: FileScene, peer: WsPeer): Buffer {
    const taken: Buffer[] = []
    for (;;) {
      scene.h.run()
      const bytes = peer.take()
      if (bytes.length === 0) return Buffer.concat(taken)
      taken.push(bytes)
    }
  }

  function request(scene: FileScene, peer: WsPeer, headers: Record<string, string> = {}): void {
    peer.send(requestText('GET', '/big', headers))
    scene.h.run()
  }

  it('goes out as the peer takes it, and nothing of it is held', () => {
    const scene = bigScene({ context: { maxContextBufferedBytes: 70_000 } })
    request(scene, scene.peer)
    assert.equal(scene.openFiles(), 1)
    assert.deepEqual(scene.results, [])
    const { body } = splitAnswer(drain(scene, scene.peer), 'GET')
    assert.ok(body.equals(content))
    assert.equal(scene.openFiles(), 0)
    assert.deepEqual(
      scene.results.map(({ status, bytes }) => [status, bytes]),
      [[200, SIZE]],
    )
  })

  it('goes out in any steps, in parts as well', () => {
    const scene = bigScene()
    const steps = Array.from({ length: 200 }, (_, at) => (at * 7919) % 30_000)
    scene.files.script.sendFile.push(...steps.filter((step) => step > 0))
    scene.peer.script.send.push(1, 2, 3, 500)
    request(scene, scene.peer, { Range: 'bytes=0-299999, 500000-799999' })
    const { status, body } = splitAnswer(drain(scene, scene.peer), 'GET')
    assert.equal(status, 206)
    const text = body.toString('latin1')
    assert.ok(text.includes(content.toString('latin1', 0, 300_000)))
    assert.ok(text.includes(content.toString('latin1', 500_000, 800_000)))
    assert.equal(scene.openFiles(), 0)
  })

  it('is read where the seam cannot send it, or says so only then', () => {
    const unsendable = bigScene()
    unsendable.files.script.sendFile.push(-Errno.EINVAL)
    request(unsendable, unsendable.peer)
    assert.ok(splitAnswer(drain(unsendable, unsendable.peer), 'GET').body.equals(content))

    const poller = fakePoller()
    poller.host.io.sendFile = undefined as never
    const reading = bigScene({ context: { poller } })
    request(reading, reading.peer)
    assert.ok(splitAnswer(drain(reading, reading.peer), 'GET').body.equals(content))
    assert.equal(unsendable.openFiles() + reading.openFiles(), 0)
  })

  const breaks: Readonly<Record<string, (scene: FileScene) => void>> = {
    'it shrinks'({ files }) {
      const open = files.resolve(ROOT, 'big')
      assert.ok(typeof open === 'object')
      open.rewrite(content.subarray(0, 60_000))
    },
    'it cannot be read': ({ files }) => void files.script.sendFile.push(-Errno.EIO),
  }
  for (const [what, happen] of Object.entries(breaks))
    it(`ends its connection when ${what}`, () => {
      const scene = bigScene()
      const { h, peer } = scene
      request(scene, peer)
      happen(scene)
      drain(scene, peer)
      assert.equal(peer.closed, 'abort')
      assert.equal(scene.openFiles(), 0)
      assert.deepEqual(scene.results, [])
      assert.deepEqual(
        scene.ends.map(({ cause }) => cause),
        ['ANSWER_CUT_SHORT'],
      )
      assert.equal(pollFds(h.ctx).length, 1)
    })

  it('a small one that is cut between the look and the read ends its connection, too', () => {
    const scene = fileScene()
    scene.files.put(`${ROOT}/page.html`, 'the page', OPTIONS)
    const peer = scene.h.connect()
    scene.files.script.readFile.push(3)
    scene.files.script.sendFile.push(3)
    peer.send(requestText('GET', '/page.html'))
    scene.h.run()
    // What the first read lacked was there when it was sent.
    assert.equal(readAnswer(peer).body.toString(), 'the page')
    scene.files.script.readFile.push(-Errno.EIO)
    scene.files.script.sendFile.push(-Errno.EIO)
    peer.send(requestText('GET', '/page.html'))
    scene.h.run()
    assert.equal(peer.closed, 'abort')
    assert.equal(scene.openFiles(), 0)
  })

  const ends: Readonly<Record<string, (scene: FileScene, peer: WsPeer) => void>> = {
    'the peer resets': (_scene, peer) => peer.reset(),
    'a send fails': (scene, peer) => {
      scene.files.script.sendFile.push(-Errno.EPIPE)
      peer.take()
    },
    'the application hangs up': ({ wsis }) => void hangup(wsis[0]!),
    'the peer takes nothing for too long': ({ h }) => {
      h.poller.runFor(h.ctx, limits.writeStallTimeoutMs.default + 1)
    },
  }
  for (const [what, happen] of Object.entries(ends))
    it(`leaves no descriptor when ${what}`, () => {
      const scene = bigScene()
      request(scene, scene.peer)
      assert.equal(scene.openFiles(), 1)
      happen(scene, scene.peer)
      scene.h.run()
      assert.equal(scene.openFiles(), 0)
      assert.equal(pollFds(scene.h.ctx).length, 1)
      assert.deepEqual(scene.results, [])
      assert.equal(scene.ends.length, 1)
    })

  it('leaves no descriptor when the context is destroyed, from within a callback as well', () => {
    const scene = bigScene()
    request(scene, scene.peer)
    contextDestroy(scene.h.ctx)
    assert.deepEqual(scene.h.poller.openFds, [])

    const inside = bigScene({
      handlers: {
        HTTP(wsi) {
          serveHttpFile(wsi, 'big', undefined, { root: ROOT })
          contextDestroy(inside.h.ctx)
          assert.equal(serveHttpFile(wsi, 'big', undefined, { root: ROOT }), 0)
        },
      },
    })
    inside.peer.send(requestText('GET', '/big'))
    inside.h.poller.run(inside.h.ctx)
    assert.deepEqual(inside.h.poller.openFds, [])
  })

  it('is part of the digest of a run: the same twice, another for one other byte', () => {
    const run = (bytes: Buffer): string => {
      const scene = bigScene({ context: { digest: true } })
      scene.files.put(`${ROOT}/small`, bytes.subarray(0, 100), OPTIONS)
      scene.files.put(`${ROOT}/big`, bytes, OPTIONS)
      scene.files.script.sendFile.push(-Errno.EINVAL)
      for (const at of ['/small', '/big']) scene.peer.send(requestText('GET', at))
      drain(scene, scene.peer)
      return digest(scene.h.ctx)
    }
    const other = Buffer.from(content)
    other[50] = other[50]! ^ 1
    assert.equal(run(content), run(content))
    assert.notEqual(run(content), run(other))
  })

  it('can be answered with later', () => {
    const scene = fileScene({ handlers: { HTTP: (wsi) => void scene.wsis.push(wsi) } })
    scene.files.put(`${ROOT}/big`, content, OPTIONS)
    const peer = scene.h.connect()
    peer.send(requestText('GET', '/x'))
    scene.h.run()
    assert.equal(serveHttpFile(scene.wsis[0]!, 'big', undefined, { root: ROOT }), 200)
    assert.ok(splitAnswer(drain(scene, peer), 'GET').body.equals(content))
  })

  it('keeps to the budget of a call, and nobody waits for it', () => {
    const scene = bigScene({ context: { txBudgetBytes: 65_536 } })
    scene.peer.windowBytes = 2 ** 20
    request(scene, scene.peer)
    assert.ok(splitAnswer(drain(scene, scene.peer), 'GET').body.equals(content))
  })
})
