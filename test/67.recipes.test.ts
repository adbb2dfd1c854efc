/** The recipes of integrations/streams/README.md run as they stand, and serve a client of `ws`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { certificate } from './support/certificate.js'
import { needsAddon } from './support/epoll-addon.js'
import { readPage } from './support/pages.js'
import { Client, Program, projectRoot, takePort } from './support/programs.js'

const folder = join(projectRoot, 'test/.out/streams')
const page = readPage('integrations/streams/README.md')
const RECIPES = ['http', 'https', 'Express', 'Fastify', 'Beside a dev server', 'At native speed']

async function start(heading: string): Promise<number> {
  const block = page.blocks.find((one) => one.heading === heading && one.language === 'ts')
  assert.ok(block, `no recipe ${heading}`)
  const { port, release } = await takePort()
  await release()
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${heading.replaceAll(' ', '-')}.mts`)
  const { key, cert } = certificate()
  writeFileSync(join(folder, 'key.pem'), key)
  writeFileSync(join(folder, 'cert.pem'), cert)
  const text = block.text
    .replaceAll('9000', String(port))
    .replaceAll(/'(key|cert)\.pem'/g, (name) => JSON.stringify(join(folder, name.slice(1, -1))))
  writeFileSync(file, text)
  new Program(process.execPath, ['--import', 'tsx', file])
  return port
}

async function answers(url: string): Promise<void> {
  for (;;) {
    try {
      await fetch(url)
      return
    } catch (error) {
      const { cause } = error as { cause?: { code?: string } }
      if (cause?.code === 'DEPTH_ZERO_SELF_SIGNED_CERT') return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

describe('67 recipes', function () {
  this.timeout(30_000)
  this.slow(5_000)

  it('are all run here', () => {
    const headings = page.blocks
      .filter(({ language }) => language === 'ts')
      .map((one) => one.heading)
    assert.deepEqual(headings, RECIPES)
  })

  for (const heading of RECIPES) {
    describe(heading, () => {
      if (heading === 'At native speed') needsAddon()

      it('serves a client of ws', async () => {
        const port = await start(heading)
        const secure = heading === 'https'
        await answers(`http${secure ? 's' : ''}://127.0.0.1:${port}/`)
        const url = `ws${secure ? 's' : ''}://127.0.0.1:${port}/ws`
        const client = await Client.open(url, ['echo'], secure ? { ca: certificate().cert } : {})
        client.socket.send('hello')
        assert.equal((await client.next()).data.toString(), 'hello')
        if (heading !== 'Beside a dev server') return
        const reload = new WebSocket(`ws://127.0.0.1:${port}/`, 'dev-reload')
        const [data] = (await once(reload, 'message')) as [Buffer]
        assert.equal(data.toString(), 'connected')
        reload.terminate()
      })
    })
  }
})
