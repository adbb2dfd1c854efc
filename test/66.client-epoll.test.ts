/**
 * Names that hang, on the epoll host: its resolver's threads delay nobody, and crash nothing.
 */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { patience } from './support/effort.js'
import { withWs } from './support/echo-servers.js'
import { needsAddon } from './support/epoll-addon.js'
import { projectRoot } from './support/programs.js'

const run = promisify(execFile)

describe('66 names that hang', function () {
  needsAddon()
  this.timeout(20_000)
  const folder = mkdtempSync(join(tmpdir(), 'extpoll-'))
  const preload = join(folder, 'names.so')

  before(() => {
    const source = join(projectRoot, 'test/support/names.c')
    execFileSync('gcc', ['-shared', '-fPIC', '-o', preload, source, '-ldl'])
  })
  after(() => rmSync(folder, { recursive: true }))

  const child = async (mode: string, port: number) => {
    const args = ['--import', 'tsx', 'test/support/client-child.ts', mode, String(port)]
    // Under sanitizers their library is there already, and has to come first.
    const preloads = [process.env['LD_PRELOAD'], preload].filter(Boolean).join(':')
    const env = { ...process.env, LD_PRELOAD: preloads }
    const { stdout } = await run(process.execPath, args, { cwd: projectRoot, env })
    return JSON.parse(stdout) as { seen: string[]; latestMs: number }
  }

  for (const mode of ['loop', 'node'])
    it(`never delay a 10 ms timer by more than 50 ms: ${mode}`, () =>
      withWs(async (port) => {
        const { seen, latestMs } = await child(mode, port)
        assert.deepEqual(seen.sort(), ['NAME_TIMEOUT', 'NAME_TIMEOUT', 'hello'])
        assert.ok(latestMs <= patience(50), `${latestMs} ms late`)
      }))

  it('crash nothing where a worker ends meanwhile', async () => {
    assert.deepEqual(await child('terminate', 9), { seen: ['terminated'], latestMs: 0 })
  })
})
