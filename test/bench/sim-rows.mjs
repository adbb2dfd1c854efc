/*
 * The rows of `make sim-bench`: what is simulated, and what is to be reached. Each `run` is given
 * `rate(act)`, which repeats an act and answers how much it did per second of CPU.
 */
import {
  callbackOnWritable,
  createContext,
  defineProtocol,
  getContext,
  serviceFd,
  TEXT,
  write,
} from '../../dist/src/index.js'
import {
  checked,
  encodeClientFrame,
  fakePoller,
  scenarios,
  runScenario,
  simulate,
} from '../../dist/integrations/fake-poller.js'

const echo = () =>
  defineProtocol({
    name: 'echo',
    payload: 'view',
    handlers: { RECEIVE: (wsi, data) => void write(wsi, data, TEXT) },
  })

const LIVES = 100

/** Connections that live from connect to closing handshake, each with one echo. */
function lives(options) {
  simulate({ ...options, protocols: [echo()] }, (world) => {
    const peers = []
    for (let i = 0; i < LIVES; i++) {
      const peer = world.connect('echo')
      peer.onMessage = () => peer.close()
      peer.send('hello')
      peers.push(peer)
    }
    world.run()
    if (options.faults !== 'none') return
    if (!peers.every(({ received, closed }) => received[0] === 'hello' && closed?.clean))
      throw new Error('a life was not whole')
  })
  return LIVES
}

const SWARM_PEERS = 8
const SWARM_MESSAGES = 20

/** The workload of one swarm seed. */
function swarmSeed(seed, checker) {
  const protocol = defineProtocol({
    name: 'echo',
    payload: 'view',
    handlers: {
      RECEIVE(wsi, data) {
        write(wsi, data, TEXT)
        callbackOnWritable(getContext(wsi), wsi)
      },
    },
  })
  simulate({ seed, faults: 'swarm', lossy: true, checker, protocols: [protocol] }, (world) => {
    for (let i = 0; i < SWARM_PEERS; i++) {
      const peer = world.connect('echo')
      for (let n = 0; n < SWARM_MESSAGES; n++) peer.send(`message ${n}`)
    }
    world.run()
  })
  return 1
}

const ECHO_PEERS = 100

/** A fake echo: one message in flight on each of 100 connections. @returns serviceFd calls */
function fakeEcho() {
  const poller = fakePoller()
  const host = checked(poller.host, { lateMs: Infinity })
  const ctx = createContext({ host, port: 0, protocols: [echo()] })
  const peers = Array.from({ length: ECHO_PEERS }, () => {
    const peer = poller.connectTo(ctx)
    peer.upgrade({ protocols: ['echo'] })
    return peer
  })
  poller.run(ctx)
  for (const peer of peers) peer.take()
  const frame = encodeClientFrame({ opcode: 1, payload: 'a small message' })
  return () => {
    for (const peer of peers) peer.send(frame)
    const batch = poller.poll()
    host.waited(batch)
    for (const pollfd of batch) serviceFd(ctx, pollfd)
    serviceFd(ctx, null)
    for (const peer of peers) peer.take()
    host.assertClean()
    return batch.length
  }
}

const IDLE_PEERS = 10_000
const IDLE_MINUTES = 5

/** @returns virtual seconds that pass in a second of CPU, with many idle connections */
function idleRatio(cpuNow) {
  let ratio = 0
  const options = { faults: 'none', protocols: [echo()], context: { pingIntervalMs: 30_000 } }
  simulate(options, (world) => {
    const peers = Array.from({ length: IDLE_PEERS }, () => world.connect('echo'))
    world.run()
    const began = cpuNow()
    world.runFor(IDLE_MINUTES * 60_000)
    ratio = (IDLE_MINUTES * 60) / (cpuNow() - began)
    if (peers.some(({ pings }) => pings < IDLE_MINUTES)) throw new Error('no pings came')
  })
  return ratio
}

const cpuNow = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

let seed = 0

export const rows = [
  {
    name: 'lives',
    title: 'connect, upgrade, echo, closing handshake; checker on, no faults',
    figures: [
      { key: 'ours', label: 'lifecycles per second', unit: '/s', least: 20_000 },
      { key: 'ws', label: 'ws over loopback', unit: '/s' },
      { key: 'ratio', label: 'ours / ws', unit: '', least: 12 },
    ],
    run({ rate, wsRate }) {
      const ours = rate(() => lives({ faults: 'none' }))
      const ws = wsRate()
      return { ours, ws, ratio: ours / ws }
    },
  },
  {
    name: 'faulty-lives',
    title: 'the same with all faults at once',
    figures: [{ key: 'ours', label: 'lifecycles per second', unit: '/s', least: 8000 }],
    run: ({ rate }) => ({ ours: rate(() => lives({ seed: (seed += 1), faults: 'all' })) }),
  },
  {
    name: 'service',
    title: 'serviceFd in a fake echo, 100 connections; checker on',
    figures: [{ key: 'ours', label: 'serviceFd calls per second', unit: '/s', least: 300_000 }],
    run: ({ rate }) => ({ ours: rate(fakeEcho()) }),
  },
  {
    name: 'idle',
    title: '10,000 idle connections with pings every 30 s',
    figures: [{ key: 'ours', label: 'virtual time / CPU time', unit: '', least: 1000 }],
    run: () => ({ ours: idleRatio(cpuNow) }),
  },
  {
    name: 'swarm',
    title: '8 connections x 20 messages, a swarm of faults for each seed',
    figures: [
      { key: 'with', label: 'seeds per second', unit: '/s', least: 300 },
      { key: 'without', label: 'without the checker', unit: '/s' },
      { key: 'overhead', label: 'what the checker adds', unit: '%', most: 10 },
    ],
    run({ rate }) {
      const first = (seed += 1)
      const seeds = (checker) => {
        let next = first
        return rate(() => swarmSeed(first + ((next += 1) % 200), checker))
      }
      const [a, b, c, d] = [seeds(true), seeds(false), seeds(false), seeds(true)]
      const [withIt, without] = [(a + d) / 2, (b + c) / 2]
      return { with: withIt, without, overhead: (without / withIt - 1) * 100 }
    },
  },
  {
    name: 'workload',
    title: 'the built-in workload (up to 15 connections x 39 messages), a swarm for each seed',
    figures: [{ key: 'ours', label: 'seeds per second', unit: '/s' }],
    run: ({ rate }) => ({
      ours: rate(() => {
        runScenario(scenarios[0], (seed += 1), { faults: 'swarm' })
        return 1
      }),
    }),
  },
]
