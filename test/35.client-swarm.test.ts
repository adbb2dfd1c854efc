/** Our client against our server in one simulated world: faults and partitions. */
import assert from 'node:assert/strict'
import { simulate } from '../integrations/fake-poller.js'
import { clientConnect, close, defineProtocol, TEXT, write } from '../src/index.js'

const SEEDS = 25
/** What changes bytes, or throws and destroys in the test's own handlers before they count. */
const without = ['recv-bit-flip', 'callback-throws', 'destroys-in-callback'] as const
const CLIENTS = 8
const MESSAGES = 10

/** What one client heard. */
interface Told {
  established: number
  failed: string[]
  received: string[]
  closed: string[]
}

const echo = defineProtocol({
  name: 'chat',
  handlers: { RECEIVE: (wsi, data) => void write(wsi, data, TEXT) },
})

function clients() {
  const told: Told[] = []
  const protocol = defineProtocol<Told>({
    name: 'chat',
    handlers: {
      CLIENT_ESTABLISHED(wsi, _answer, own) {
        own.established += 1
        for (let sent = 0; sent < MESSAGES; sent += 1) write(wsi, `${sent}`, TEXT)
      },
      CLIENT_RECEIVE(wsi, data, own) {
        own.received.push(data.toString())
        if (own.received.length === MESSAGES) close(wsi, 1000)
      },
      CLIENT_CONNECTION_ERROR: (_wsi, { cause }, own) => void own.failed.push(cause),
      CLOSED: (_wsi, { cause }, own) => void own.closed.push(cause),
    },
  })
  return { told, protocol }
}

/** One of the two ends each, once; and what came is what was sent, in order. */
function judge(told: readonly Told[]): void {
  for (const { established, failed, received, closed } of told) {
    assert.equal(established + failed.length, 1)
    assert.equal(closed.length, established)
    assert.deepEqual(
      received,
      received.map((_, at) => `${at}`),
    )
  }
}

function play(seed: number, faults: 'none' | 'swarm', partitions: boolean): readonly Told[] {
  const { told, protocol } = clients()
  const hosts = { other: { protocols: [protocol] } }
  simulate({ seed, faults, without, lossy: true, protocols: [echo], hosts }, (world) => {
    const { ctx } = world.host('other')
    for (let count = 0; count < CLIENTS; count += 1) {
      const user: Told = { established: 0, failed: [], received: [], closed: [] }
      told.push(user)
      const url = count % 2 === 0 ? 'ws://10.0.0.1:80/' : 'ws://server:80/'
      clientConnect(ctx, { url, protocol: 'chat', user })
    }
    if (partitions) {
      world.runFor(seed % 20)
      world.partition(['other'], ['server'])
      world.runFor(5_000)
      world.heal()
    }
    world.run()
    // Whoever waits for a peer that is gone has its deadline by then.
    world.runFor(300_000)
  })
  judge(told)
  return told
}

describe('35 client and server in one world', function () {
  this.timeout(60_000)

  it('without faults: everything arrives, everyone closes in order', () => {
    for (const { received, closed } of play(1, 'none', false)) {
      assert.equal(received.length, MESSAGES)
      assert.equal(closed.length, 1)
    }
  })

  it('with partitions that heal: one end each, nothing twice, nothing out of order', () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) play(seed, 'none', true)
  })

  it('under the swarm, with partitions: one end each, and the contract holds', () => {
    let opened = 0
    for (let seed = 1; seed <= SEEDS; seed += 1)
      opened += play(seed, 'swarm', true).filter(({ established }) => established === 1).length
    assert.ok(opened > SEEDS, `${opened} of ${SEEDS * CLIENTS} opened`)
  })
})
