/**
 * The functions of the seed by name, what needs a kernel: service over epoll, and gid and uid.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { service } from '../integrations/epoll.js'
import { fakePoller } from '../integrations/fake-poller.js'
import { BINARY, createContext, defineProtocol, pollFds, write } from '../src/index.js'
import { checkedEpoll, endHost } from './support/checked-epoll.js'
import { needsAddon } from './support/epoll-addon.js'
import { LoopClient } from './support/loop-client.js'
import { Program, projectRoot } from './support/programs.js'

const echo = defineProtocol({
  handlers: { RECEIVE: (wsi, data) => void write(wsi, data, BINARY) },
})

describe('45 seed functions: service', () => {
  needsAddon()

  it('service: 0 does not block, -1 waits for work: one wait, one round', () => {
    const host = checkedEpoll('epoll')
    const ctx = createContext({ host, port: 0, protocols: [echo] })
    const startMs = performance.now()
    for (let i = 0; i < 100; i++) assert.equal(service(ctx, 0), 0)
    assert.ok(performance.now() - startMs < 500)
    const round = (): number => service(ctx, -1)
    const client = LoopClient.open(ctx, () => service(ctx, 1))
    client.sendMessage('hello')
    assert.equal(round(), 1, 'it waited for the message')
    client.untilEchoed(() => service(ctx, 1), 'hello')
    client.reset()
    endHost(host, ctx)
  })

  it('service: a timeout is the longest it waits', () => {
    const host = checkedEpoll('epoll')
    const ctx = createContext({ host, port: 0, protocols: [echo] })
    const startMs = performance.now()
    assert.equal(service(ctx, 50), 0)
    const waitedMs = performance.now() - startMs
    assert.ok(waitedMs > 45 && waitedMs < 1000, `${waitedMs} ms`)
    endHost(host, ctx)
  })

  it('service: what is due, and no later', () => {
    const host = checkedEpoll('epoll')
    const ctx = createContext({ host, port: 0, protocols: [echo], handshakeTimeoutMs: 50 })
    const silent = new LoopClient(ctx)
    assert.equal(service(ctx, -1), 1)
    assert.equal(pollFds(ctx).length, 2)
    const startMs = performance.now()
    // The answer 408 leaves, and then the end of the silent one is waited for.
    silent.until(
      () => service(ctx, -1),
      (received) => received.includes(' 408 '),
    )
    const waitedMs = performance.now() - startMs
    assert.ok(waitedMs > 20 && waitedMs < 1000, `${waitedMs} ms`)
    silent.reset()
    endHost(host, ctx)
  })

  it('service: a context of another host is refused', () => {
    const ctx = createContext({ host: fakePoller().host, protocols: [echo] })
    assert.throws(() => service(ctx, 0), { code: 'ERR_EXTPOLL_NOT_EPOLL' })
  })
})

describe('45 seed functions: gid and uid', () => {
  needsAddon()

  const child = join(projectRoot, 'test/support/privileges-child.ts')
  const NOBODY = 65_534

  interface Told {
    readonly error?: string
    readonly ids: readonly number[]
    readonly regained: boolean
    readonly listens: boolean
  }

  async function run(where: 'main' | 'worker'): Promise<Told> {
    const program = new Program(process.execPath, ['--import', 'tsx', child, where, `${NOBODY}`])
    const { status } = await program.ended
    assert.equal(status, 0, program.stderr)
    return JSON.parse(program.stdout) as Told
  }

  it('createContext: gid and uid of the process, read back, and not to be had again', async () => {
    const told = await run('main')
    if (process.getuid?.() === 0) {
      assert.equal(told.error, undefined)
      assert.deepEqual(told.ids, [NOBODY, NOBODY, NOBODY, NOBODY, NOBODY], 'ids and groups')
      assert.deepEqual([told.regained, told.listens], [false, true])
    } else {
      assert.equal(told.error, 'ERR_EXTPOLL_PRIVILEGES')
      assert.equal(told.listens, false, 'it leaves nothing')
    }
  })

  it('createContext: gid and uid are for the main thread only', async () => {
    assert.equal((await run('worker')).error, 'ERR_EXTPOLL_PRIVILEGES')
  })
})
