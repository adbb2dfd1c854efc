/**
 * `gid` and `uid` of createContext: given up for good, or not at all.
 *
 * What only root can show runs where the tests run as root, each in a process of its own; the rest
 * runs everywhere.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createContext, defineProtocol, isDestroyed } from '../src/index.js'
import { fakePoller } from '../integrations/fake-poller.js'
import { needsAddon, startWorker } from './support/epoll-addon.js'
import type { Outcome } from './support/drop-child.js'
import { Program } from './support/programs.js'

const NOBODY = 65_534
const protocols = [defineProtocol({ handlers: {} })]
const isRoot = process.getuid?.() === 0

async function drop(mode: string): Promise<Outcome> {
  const file = fileURLToPath(new URL('./support/drop-child.ts', import.meta.url))
  const program = new Program(process.execPath, ['--import', 'tsx', file, mode, `${NOBODY}`])
  const { status } = await program.ended
  assert.equal(status, 0, program.stderr)
  return JSON.parse(program.stdout) as Outcome
}

const all = (id: number): number[] => [id, id, id, id]

describe('44 privileges', () => {
  // Not pending tests: the gate runs this file twice, as an ordinary user and as root.
  if (!isRoot) before(() => console.log('    left out: only root can change gid and uid'))
  const chapter = isRoot ? describe : () => {}

  chapter('as root', () => {
    needsAddon()

    it('gid and uid: real, effective and saved, and no way back', async () => {
      const outcome = await drop('both')
      assert.equal(outcome.error, undefined)
      assert.deepEqual([outcome.uids, outcome.gids], [all(NOBODY), all(NOBODY)])
      assert.deepEqual(outcome.groups, [NOBODY])
      assert.deepEqual(outcome.regained, [])
      assert.equal(outcome.listens, true)
    })

    it('supplementary groups go, however many', async () => {
      const { groups, gids, regained } = await drop('groups')
      assert.deepEqual([groups, gids, regained], [[NOBODY], all(NOBODY), []])
    })

    it('gid alone: the user stays, the groups go', async () => {
      const { error, uids, gids, groups, listens } = await drop('gid')
      assert.equal(error, undefined)
      assert.deepEqual([uids, gids, groups, listens], [all(0), all(NOBODY), [NOBODY], true])
    })

    it('uid alone is refused, and changes nothing', async () => {
      const { error, uids, gids, listens, fdsLeft } = await drop('uid')
      assert.equal(error, 'ERR_EXTPOLL_PRIVILEGES')
      assert.deepEqual([uids, gids, listens, fdsLeft], [all(0), all(0), false, 0])
    })

    for (const mode of ['refused', 'refused user'])
      it(`${mode} by the system: no listener and no descriptor stays`, async () => {
        const { error, uids, listens, fdsLeft } = await drop(mode)
        assert.equal(error, 'ERR_EXTPOLL_PRIVILEGES')
        assert.deepEqual([uids, listens, fdsLeft], [all(NOBODY), false, 0])
      })

    it('a listener that cannot be had comes first: nothing was given up', async () => {
      const { error, uids, gids, fdsLeft } = await drop('no listener')
      assert.equal(error, 'EADDRNOTAVAIL')
      assert.deepEqual([uids, gids, fdsLeft], [all(0), all(0), 0])
    })
  })

  describe('as anybody', () => {
    needsAddon()

    it('refused in a worker, and the process is who it was', async () => {
      const groups = process.getgroups!()
      const worker = startWorker('./drop-child.ts', ['both', `${NOBODY}`])
      const [outcome] = (await once(worker, 'message')) as [Outcome]
      assert.equal(outcome.error, 'ERR_EXTPOLL_PRIVILEGES')
      assert.equal(outcome.listens, false)
      assert.equal(process.getuid?.() === 0, isRoot)
      assert.deepEqual(process.getgroups!(), groups)
    })

    if (!isRoot)
      it('refused to who may not: no listener and no descriptor stays', async () => {
        const outcome = await drop('both')
        assert.equal(outcome.error, 'ERR_EXTPOLL_PRIVILEGES')
        assert.deepEqual([outcome.listens, outcome.fdsLeft], [false, 0])
      })
  })

  describe('on any host', () => {
    it('one that cannot change them refuses, before it listens', () => {
      const poller = fakePoller()
      for (const ids of [{ gid: 1, uid: 1 }, { gid: 1 }])
        assert.throws(() => createContext({ host: poller.host, port: 0, protocols, ...ids }), {
          code: 'ERR_EXTPOLL_PRIVILEGES',
        })
      assert.deepEqual(poller.openFds, [])
    })

    it('only whole numbers are ids, and uid needs gid', () => {
      const host = { ...fakePoller().host, dropPrivileges: () => assert.fail('not asked') }
      for (const gid of [-1, 0.5, NaN, '0', null, 2 ** 32])
        assert.throws(() => createContext({ host, protocols, gid: gid as number, uid: 1 }), {
          code: 'ERR_EXTPOLL_PRIVILEGES',
        })
      assert.throws(() => createContext({ host, protocols, uid: 1 }), {
        code: 'ERR_EXTPOLL_PRIVILEGES',
      })
    })

    it('a host is asked once, after the listener is there', () => {
      const poller = fakePoller()
      const asked: unknown[] = []
      const dropPrivileges = (ids: unknown): void => {
        asked.push(ids, poller.openFds.length)
      }
      const host = { ...poller.host, dropPrivileges }
      const ctx = createContext({ host, port: 0, protocols, gid: 7, uid: 8 })
      assert.deepEqual(asked, [{ gid: 7, uid: 8 }, 1])
      assert.equal(isDestroyed(ctx), false)
    })

    it('what a host throws goes on, and the listener is closed with its DEL', () => {
      const poller = fakePoller()
      const host = {
        ...poller.host,
        dropPrivileges() {
          throw new Error('no')
        },
      }
      const told: string[] = []
      const on = {
        ADD_POLL_FD: (fd: number) => void told.push(`ADD ${fd}`),
        DEL_POLL_FD: (fd: number) => void told.push(`DEL ${fd}`),
      }
      assert.throws(() => createContext({ host, port: 0, protocols, gid: 7, on }), /^Error: no$/)
      assert.deepEqual([poller.openFds, told], [[], ['ADD 3', 'DEL 3']])
    })
  })
})
