/**
 * The recipes of integrations/README.md run as they stand, as a user's programs would, the port
 * apart, and serve a client of `ws`. The one under Node's loop is in 64.node-loop-ends.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import ts from 'typescript'
import { needsAddon } from './support/epoll-addon.js'
import { readPage } from './support/pages.js'
import { Client, Program, projectRoot, takePort } from './support/programs.js'
import { typeCheck } from './support/type-check.js'

const folder = join(projectRoot, 'test/.out/recipes')
const { blocks } = readPage('integrations/README.md')
const GAME = 'In a game at 60 ticks a second'
const WORKER = 'In a worker with a blocking loop'
const FOREIGN = 'Under a foreign poller'

const fileOf = (heading: string, ending: string): string =>
  join(folder, `${heading.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.${ending}`)

function textOf(heading: string): string {
  return blocks.find((block) => block.heading === heading)?.text ?? assert.fail(heading)
}

/** Compiled first, since a worker on Node 20 has no tsx. */
async function start(heading: string, subprotocol: string): Promise<[Program, Client]> {
  const { port, release } = await takePort()
  await release()
  const { outputText } = ts.transpileModule(textOf(heading).replace('9000', String(port)), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 },
  })
  mkdirSync(folder, { recursive: true })
  writeFileSync(fileOf(heading, 'mjs'), outputText)
  const program = new Program(process.execPath, [fileOf(heading, 'mjs')])
  let over = false
  void program.ended.then(() => (over = true))
  for (;;) {
    try {
      return [program, await Client.open(`ws://127.0.0.1:${port}`, [subprotocol])]
    } catch {
      assert.ok(!over, program.stderr)
      await delay(20)
    }
  }
}

/** By SIGTERM, with 1001 at the peer and status 0. */
async function assertEnds(program: Program, client: Client): Promise<void> {
  const end = await program.signal('SIGTERM')
  assert.equal((await client.closed).code, 1001)
  assert.equal(end.status, 0, program.stderr)
  assert.equal(program.stderr, '')
}

describe('82 recipes', function () {
  needsAddon()
  this.timeout(20_000)

  it('are all run: here, and the one under Node in 64', () => {
    const headings = blocks.map(({ heading }) => heading)
    assert.deepEqual(headings, ["Under Node's loop", GAME, WORKER, FOREIGN])
  })

  it('compile under strict settings', function () {
    this.timeout(60_000)
    mkdirSync(folder, { recursive: true })
    const files = blocks.map(({ heading }) => fileOf(heading, 'ts'))
    for (const { heading, text } of blocks) writeFileSync(fileOf(heading, 'ts'), text)
    assert.deepEqual(typeCheck(files, { noUnusedParameters: false, types: ['node'] }), {})
  })

  it('the game: 60 ticks a second, in time beside peers that never stop', async () => {
    const [program, client] = await start(GAME, 'game')
    const { socket } = await Client.open(client.socket.url, ['game'])
    socket.on('message', (data: Buffer) => {
      if (data.toString() === 'again') socket.send('again')
    })
    for (let inFlight = 0; inFlight < 8; inFlight++) socket.send('again')
    const lates: number[] = []
    const beganMs = performance.now()
    while (lates.length < 90) {
      const line = (await client.next()).data.toString()
      lates.push(Number(/^tick \d+, ([\d.]+) ms late$/.exec(line)![1]))
    }
    const tookMs = performance.now() - beganMs
    assert.ok(tookMs > 1400 && tookMs < 3000, `90 ticks took ${tookMs} ms`)
    lates.sort((a, b) => a - b)
    console.log(`      ticks late: median ${lates[45]!} ms, worst ${lates[89]!} ms`)
    assert.ok(lates[45]! < 5, `median ${lates[45]!} ms late`)
    await assertEnds(program, client)
  })

  for (const heading of [WORKER, FOREIGN])
    it(`${heading}: echoes, and ends in order`, async () => {
      const [program, client] = await start(heading, 'echo')
      client.socket.send('hello')
      assert.equal((await client.next()).data.toString(), 'hello')
      await assertEnds(program, client)
    })
})
