/**
 * The command `extpoll echo` with the WebSocket that Node itself has: since 22, and with a flag in
 * 20. The node is the one that runs this test; test/matrix.mjs runs it on the newer ones.
 */
import assert from 'node:assert/strict'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { assertDone, endEcho, startEcho } from './interop/echo-command.js'
import { needsAddon } from './support/epoll-addon.js'
import { Program, projectRoot } from './support/programs.js'

const url = pathToFileURL(join(projectRoot, 'test/interop/whatwg-client.mjs')).href
const flags = 'WebSocket' in globalThis ? [] : ['--experimental-websocket', '--no-warnings']

/** Runs one of its functions with a server's address, and prints `done`. */
function node(step: string, serverUrl: string): Program {
  const code = `import * as client from '${url}'
    await client['${step}']('${serverUrl}', () => console.log('open'))
    console.log('done')`
  return new Program(process.execPath, [...flags, '--input-type=module', '--eval', code])
}

describe(`85 the WebSocket of Node ${process.versions.node}`, function () {
  this.timeout(30_000)
  needsAddon()

  const steps: Readonly<Record<string, string>> = {
    text: 'text of every kind, up to 1 MiB',
    binary: 'bytes in every form of length, and a blob',
    inFlight: '5,000 messages on their way',
    closeCodes: 'closes with every code it may',
    closedByServer: 'is told 1009 for a message too long',
  }
  for (const [step, what] of Object.entries(steps))
    it(what, async () => {
      const server = await startEcho()
      await assertDone(node(step, server.url))
      await endEcho(server)
    })

  it('the subprotocol that both speak, and an error where there is none', async () => {
    const server = await startEcho('--protocol', 'chat')
    await assertDone(node('subprotocol', server.url))
    await assertDone(node('refused', server.url))
    await endEcho(server)
  })

  it('gets 1001 at shutdown', async () => {
    const server = await startEcho()
    const client = node('shutdown', server.url)
    assert.equal(await client.firstLine(), 'open')
    await endEcho(server)
    await assertDone(client)
  })
})
