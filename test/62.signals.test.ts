/**
 * Signals and endings, in processes of their own: what a thread that blocks in a wait still hears,
 * and how soon it ends.
 */
import assert from 'node:assert/strict'
import { watchSignals } from '../integrations/epoll.js'
import { patience } from './support/effort.js'
import { needsAddon, runChild, runChildWell } from './support/epoll-addon.js'

const CHILD = './epoll-child.ts'
const PATIENCE_MS = patience(500)

describe('62 signals', () => {
  needsAddon()

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`hears ${signal} in a loop that never gives the thread back`, async () => {
      const end = await runChildWell(CHILD, ['signals', '1'], {
        onFirstLine: (pid) => process.kill(pid, signal),
      })
      assert.equal(end.stdout, `ready\n${signal}\n`)
      assert.ok(end.lifeAfterFirstLineMs < PATIENCE_MS, `${end.lifeAfterFirstLineMs} ms`)
    })
  }

  it('hears two that came together, in order of their number', async () => {
    const { stdout } = await runChildWell(CHILD, ['signals', '2'], {
      onFirstLine(pid) {
        process.kill(pid, 'SIGTERM')
        process.kill(pid, 'SIGINT')
      },
    })
    const [, seen = ''] = stdout.split('\n')
    assert.deepEqual(seen.split(' ').sort(), ['SIGINT', 'SIGTERM'])
  })

  it('lets two watches of one signal both hear it, and one go on without the other', async () => {
    const { stdout } = await runChildWell(CHILD, ['two-watchers'], {
      onFirstLine: (pid) => process.kill(pid, 'SIGTERM'),
    })
    assert.equal(stdout, 'ready\nboth heard\n')
  })

  it('restores the default action at close', async () => {
    const { signal } = await runChild(CHILD, ['restored'], {
      onFirstLine: (pid) => process.kill(pid, 'SIGTERM'),
    })
    assert.equal(signal, 'SIGTERM')
  })

  it("restores Node's own listeners at close", async () => {
    const { stdout } = await runChildWell(CHILD, ['listener-restored'])
    assert.equal(stdout, 'heard\n')
  })

  it('restores the default action before the listeners of exit end', async () => {
    const { signal, lifeAfterFirstLineMs } = await runChild(CHILD, ['restored-at-exit'])
    assert.equal(signal, 'SIGTERM')
    assert.ok(lifeAfterFirstLineMs < PATIENCE_MS)
  })

  it('refuses a worker: signals belong to the process', async () => {
    const { stdout } = await runChildWell(CHILD, ['watch-in-worker'])
    assert.equal(stdout, 'ERR_EXTPOLL_MAIN_THREAD\n')
  })

  it('refuses unknown names, none, and signals that must not be taken', () => {
    const refused = { code: 'ERR_EXTPOLL_SIGNAL' }
    const wrong = ['SIGFOO', 'sigterm', '', 15, null, '__proto__', 'constructor']
    for (const name of wrong) assert.throws(() => watchSignals([name as never]), refused)
    for (const name of ['SIGKILL', 'SIGSTOP', 'SIGSEGV', 'SIGCHLD'] as const) {
      assert.throws(() => watchSignals(['SIGTERM', name]), refused)
    }
    assert.throws(() => watchSignals([]), refused)
    assert.throws(() => watchSignals('SIGTERM' as never), refused)
    assert.throws(() => watchSignals(['SIGFOO' as never]), /SIGFOO/)
  })

  it('closes its descriptor, and leaves no listener of exit behind', () => {
    const before = process.listenerCount('exit')
    const watches = Array.from({ length: 32 }, () => watchSignals(['SIGUSR2']))
    assert.equal(new Set(watches.map(({ fd }) => fd)).size, 32)
    assert.throws(() => watchSignals(['SIGUSR2']), { code: 'ENOSPC' })
    assert.equal(process.listenerCount('exit'), before + 1)
    for (const watch of watches) watch.close()
    assert.equal(process.listenerCount('exit'), before)
    watchSignals(['SIGUSR2']).close()
  })
})

describe('62 endings', () => {
  needsAddon()

  it('ends a worker that blocks in wait(-1) within half a second of terminate()', async () => {
    const { stdout } = await runChildWell(CHILD, ['terminate-worker'])
    assert.ok(Number(stdout) < PATIENCE_MS, `${stdout} ms`)
  })

  it('ends the process beside such a worker within half a second of process.exit()', async () => {
    const { lifeAfterFirstLineMs } = await runChildWell(CHILD, ['exit-beside-worker'])
    assert.ok(lifeAfterFirstLineMs < PATIENCE_MS, `${lifeAfterFirstLineMs} ms`)
  })
})
