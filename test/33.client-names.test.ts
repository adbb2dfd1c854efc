/**
 * Names of the client role: addresses side by side (RFC 8305), and resolvers that hang, lie and
 * answer twice.
 */
import assert from 'node:assert/strict'
import {
  type ClientOptions,
  getPeerAddresses,
  getSocketFd,
  pollFds,
  POLLIN,
  serviceFd,
} from '../src/index.js'
import { fakePoller, type ServerPeer } from '../integrations/fake-poller.js'
import { type ClientScene, clientScene } from './support/client-scene.js'

const NAMED: ClientOptions = { url: 'ws://example.test:9000/chat' }
const SIX = ['2001:db8::1', '2001:db8::2']
const FOUR = ['192.0.2.1', '192.0.2.2']

/** The lookups of one name: IPv6, then IPv4. */
function lookups({ h }: ClientScene) {
  const [six, four, ...more] = h.poller.resolver.lookups.splice(0)
  assert.deepEqual([six?.family, four?.family, more.length], [6, 4, 0])
  return { six: six!, four: four! }
}

const tried = ({ failures }: ClientScene): string[] =>
  failures[0]!.attempts.map(({ address, result }) => `${address} ${result}`)

function answer({ h, log }: ClientScene, server: ServerPeer): void {
  server.establish()
  h.run()
  server.request()
  server.send(server.accept())
  h.run()
  assert.deepEqual(log, ['established'])
}

describe('33 client names: RFC 8305', () => {
  it('asks for both families at once, and announces the resolver on first use', () => {
    const scene = clientScene()
    scene.connect(NAMED)
    assert.deepEqual(scene.told, ['ADD 1 fd 3'])
    const { six, four } = lookups(scene)
    assert.deepEqual([six.name, four.name], ['example.test', 'example.test'])
    scene.connect(NAMED)
    assert.deepEqual(scene.told, ['ADD 1 fd 3'], 'one for all names')
  })

  it('3: IPv6 begins at once; IPv4 that came first waits resolutionDelayMs', () => {
    const scene = clientScene()
    scene.connect(NAMED)
    lookups(scene).six.answer(...SIX)
    scene.h.run()
    assert.equal(scene.h.poller.dialled().length, 1)

    scene.connect(NAMED)
    const second = lookups(scene)
    second.four.answer(...FOUR)
    scene.h.poller.runFor(scene.h.ctx, 49)
    assert.equal(scene.h.poller.dialled().length, 0)
    second.six.answer(...SIX)
    scene.h.run()
    scene.h.poller.runFor(scene.h.ctx, 0)
    const pair = scene.h.poller.dialled()
    assert.equal(pair.length, 1, 'IPv6 goes first')

    const other = clientScene()
    other.connect(NAMED)
    lookups(other).four.answer(...FOUR)
    other.h.poller.runFor(other.h.ctx, 51)
    assert.equal(other.h.poller.dialled().length, 1, 'without IPv6 after 50 ms')
  })

  it('4 and 5: families take turns, the next begins after connectAttemptDelayMs', () => {
    const scene = clientScene({ context: { connectTimeoutMs: 2_000 } })
    scene.connect(NAMED)
    const { six, four } = lookups(scene)
    six.answer(...SIX)
    four.answer(...FOUR)
    scene.h.run()
    const counts = [scene.h.poller.dialled().length]
    for (let step = 0; step < 4; step++) {
      scene.h.poller.runFor(scene.h.ctx, 250)
      counts.push(scene.h.poller.dialled().length)
    }
    assert.deepEqual(counts, [1, 1, 1, 1, 0])
    scene.h.poller.runFor(scene.h.ctx, 1_000)
    assert.deepEqual(tried(scene), [
      '[2001:db8::1]:9000 ',
      '192.0.2.1:9000 ',
      '[2001:db8::2]:9000 ',
      '192.0.2.2:9000 ',
    ])
    assert.deepEqual(scene.h.poller.openFds, [3], 'the resolver, and nothing else')
  })

  it('5: an address that fails is followed at once', () => {
    const scene = clientScene()
    scene.connect(NAMED)
    const { six, four } = lookups(scene)
    six.answer(...SIX)
    four.answer(...FOUR)
    scene.h.run()
    const names: number[] = []
    for (let step = 0; step < 4; step++) {
      const all = scene.h.poller.dialled()
      names.push(all.length)
      for (const one of all) one.refuse()
      scene.h.run()
    }
    assert.deepEqual(names, [1, 1, 1, 1])
    assert.deepEqual(scene.log, ['error CONNECT_FAILED'])
    assert.equal(scene.failures[0]!.attempts.length, 4)
  })

  it('5: the first that connects wins; every loser gets DEL and is closed', () => {
    const scene = clientScene()
    const wsi = scene.connect(NAMED)
    const { six, four } = lookups(scene)
    six.answer(...SIX)
    four.answer(...FOUR)
    scene.h.poller.runFor(scene.h.ctx, 600)
    const all = scene.h.poller.dialled()
    assert.equal(all.length, 3)
    scene.told.length = 0
    answer(scene, all[1]!)
    assert.deepEqual(scene.told, ['DEL fd 4', 'DEL fd 6', 'CLEAR 4 fd 5', 'SET 1 fd 5'])
    assert.equal(getSocketFd(wsi), 5)
    assert.deepEqual(
      all.map(({ closed }) => closed),
      ['close', undefined, 'close'],
    )
    assert.equal(getPeerAddresses(scene.h.ctx, 5).address, '192.0.2.1')
    scene.h.poller.runFor(scene.h.ctx, 1_000)
    assert.deepEqual(scene.h.poller.dialled(), [], 'nobody is tried any more')
  })

  it('addresses that were given up are no ends: endBudget is of connections (C13)', () => {
    const scene = clientScene({ context: { endBudget: 1, connectTimeoutMs: 1_000 } })
    scene.connect(NAMED)
    const { six, four } = lookups(scene)
    six.answer(...SIX)
    four.answer(...FOUR)
    scene.h.poller.runFor(scene.h.ctx, 1_001)
    assert.deepEqual(scene.log, ['error CONNECT_TIMEOUT'])
    assert.equal(tried(scene).length, 4)
    assert.equal(scene.told.filter((one) => one.startsWith('DEL')).length, 4)
  })

  it('family: 4 asks for nothing else', () => {
    const scene = clientScene()
    scene.connect({ ...NAMED, family: 4 })
    const all = scene.h.poller.resolver.lookups
    assert.deepEqual(
      all.map(({ family }) => family),
      [4],
    )
    all[0]!.answer(...FOUR)
    scene.h.run()
    assert.equal(scene.h.poller.dialled().length, 1, 'at once')
  })
})

describe('33 client names: a resolver that', () => {
  it('hangs ends with resolveTimeoutMs, and what it says later is nobody’s', () => {
    const scene = clientScene({ context: { resolveTimeoutMs: 1_000 } })
    scene.connect(NAMED)
    const { six, four } = lookups(scene)
    scene.h.poller.runFor(scene.h.ctx, 1_001)
    assert.deepEqual(scene.log, ['error NAME_TIMEOUT'])
    assert.deepEqual([six.cancelled, four.cancelled], [true, true])
    six.answer(...SIX)
    four.answer(...FOUR)
    scene.h.run()
    assert.deepEqual(scene.h.poller.dialled(), [])
    assert.deepEqual(scene.log, ['error NAME_TIMEOUT'])
  })

  it('knows no such name says so for both families', () => {
    const scene = clientScene()
    scene.connect(NAMED)
    const { six, four } = lookups(scene)
    six.fail('ENOTFOUND')
    four.fail('EAI_AGAIN')
    scene.h.run()
    assert.deepEqual(scene.log, ['error NAME_UNKNOWN'])
    assert.equal(
      scene.failures[0]!.reason,
      'resolving the name of ws://example.test:9000/chat: The name has no address. ' +
        '(IPv6: ENOTFOUND, IPv4: EAI_AGAIN)',
    )
  })

  it('answers twice is heard once', () => {
    const scene = clientScene()
    scene.connect(NAMED)
    const { six, four } = lookups(scene)
    for (let times = 0; times < 3; times++) six.answer(SIX[0]!)
    four.fail()
    four.fail()
    scene.h.run()
    const all = scene.h.poller.dialled()
    assert.equal(all.length, 1)
    six.answer(SIX[1]!)
    all[0]!.refuse()
    scene.h.run()
    assert.deepEqual(tried(scene), ['[2001:db8::1]:9000 ECONNREFUSED'])
  })

  it('lies is not believed: other families, no addresses, the same again, hundreds', () => {
    const scene = clientScene({ context: { maxConnectAddresses: 3, connectTimeoutMs: 5_000 } })
    scene.connect(NAMED)
    const { six, four } = lookups(scene)
    six.answer('192.0.2.9', 'not an address')
    four.answer(
      ...FOUR,
      ...FOUR,
      ...Array.from({ length: 300 }, (_, n) => `10.0.${n >> 8}.${n & 255}`),
    )
    scene.h.poller.runFor(scene.h.ctx, 5_001)
    assert.deepEqual(
      scene.failures[0]!.attempts.map(({ address }) => address),
      ['192.0.2.1:9000', '192.0.2.2:9000', '10.0.0.0:9000'],
    )
  })

  it('is said to be readable time and again, and has nothing, was read (C11)', () => {
    const scene = clientScene()
    scene.connect(NAMED)
    const { fd, gen } = pollFds(scene.h.ctx)[0]!
    for (let times = 0; times < 20; times++)
      assert.equal(serviceFd(scene.h.ctx, { fd, gen, revents: POLLIN }), 'handled')
    lookups(scene).six.answer(SIX[0]!)
    scene.h.run()
    assert.equal(scene.h.poller.dialled().length, 1)
  })

  it('answers late adds to those that are tried already', () => {
    const scene = clientScene()
    scene.connect(NAMED)
    const { six, four } = lookups(scene)
    four.answer(FOUR[0]!)
    scene.h.poller.runFor(scene.h.ctx, 60)
    scene.h.poller.dialled()[0]!.refuse()
    scene.h.run()
    assert.deepEqual(scene.log, [], 'IPv6 is still asked for')
    six.answer(SIX[0]!)
    scene.h.run()
    answer(scene, scene.dialled())
  })

  it('is absent: a name is a UsageError, an address is not', () => {
    const poller = fakePoller()
    Object.defineProperty(poller.host.io, 'resolver', { value: undefined })
    const scene = clientScene({ context: { poller } })
    assert.throws(() => scene.connect(NAMED), { code: 'ERR_EXTPOLL_NO_RESOLVER' })
    scene.connect()
    answer(scene, scene.dialled())
  })
})
