/**
 * `simulate`: a test in a world of its own, replayable from a number.
 *
 * A chaos phase, which the test's own function drives; then a quiet phase, in which every surviving
 * connection must deliver what is under way; then the end of every host, which must leave nothing.
 */
import { UsageError } from '../../../src/index.js'
import { RecordingDecider, ReplayDecider, SeededDecider } from '../decide/decider.js'
import type { Decider, Decisions } from '../decide/decider.js'
import { parseDecisions } from '../decide/decisions-text.js'
import { Faults } from '../faults/faults.js'
import type { FaultSelection } from '../faults/faults.js'
import type { FaultName } from '../faults/fault-table.js'
import type { LinkOptions } from '../link.js'
import type { SimHostOptions } from './sim-host.js'
import { explainFailure } from './report.js'
import { World } from './world.js'

export interface SimulateOptions extends SimHostOptions {
  /** Whole number from 0. Default 1, or EXTPOLL_SIM_SEED of the environment. */
  readonly seed?: number
  /** Default 'swarm'. */
  readonly faults?: FaultSelection
  /** Kinds that take no part, whatever `faults` says. */
  readonly without?: readonly FaultName[]
  /**
   * Kinds that end connections before their time take part in a swarm, too: assertions must allow
   * for that (`peer.harmedBy`). Default false.
   */
  readonly lossy?: boolean
  /** More hosts, by name. The options' own protocols run on one called `server`. */
  readonly hosts?: Readonly<Record<string, SimHostOptions>>
  /** All links. Default: no latency without faults, a few milliseconds with them. */
  readonly link?: LinkOptions
  /** Replays these decisions in place of the seed's, as a report printed them. */
  readonly decisions?: string | Decisions
  /** Chooses in place of the seed. */
  readonly decider?: Decider
  /** Rounds at one moment after which somebody spins. Default 100,000. */
  readonly maxRounds?: number
  /** Virtual time after which chaos in one `run` ends. Default 60 s. */
  readonly chaosMs?: number
  /** Virtual time within which everything must come to its end then. Default 10 minutes. */
  readonly quietMs?: number
  /** What a report tells to type. Default: how to give the seed to the test at hand. */
  readonly replayLine?: (seed: number) => string
}

/** What a run was like. */
export interface SimulationResult {
  readonly seed: number
  /** The same for the same run, on every machine. */
  readonly digest: number
  readonly decisions: Decisions
  /** How often each kind that took part fired. */
  readonly fired: Readonly<Partial<Record<FaultName, number>>>
  /** Virtual milliseconds. */
  readonly elapsedMs: number
}

const MAX_ROUNDS = 100_000
const CHAOS_MS = 60_000
const QUIET_MS = 600_000
const LATENCIES_MS: readonly number[] = [0, 0.1, 1, 5, 30]

/**
 * Runs `test` in a world of its own, synchronously.
 *
 * ```ts
 * simulate({ seed: 42, faults: 'swarm', protocols: [chat] }, (world) => {
 *   const peer = world.connect('chat')
 *   peer.send('hi')
 *   world.run()
 *   assert.deepEqual(peer.received, ['hi'])
 * })
 * ```
 *
 * @throws what `test` threw, an invariant, or a rule of the contract; with the seed, the line that
 *   replays it and the story in its message. UsageError for options that cannot be right
 */
export function simulate(options: SimulateOptions, test: (world: World) => void): SimulationResult {
  const seed = seedOf(options)
  const recorder = new RecordingDecider(deciderOf(options, seed))
  const world = buildWorld(options, seed, recorder)
  const startMs = world.clock.now
  try {
    test(world)
    world.faults.stop()
    world.run()
    for (const host of world.network.hosts) host.shutDown()
    world.run()
  } catch (error) {
    throw explainFailure(error, world, recorder.decisions, replayLine(options, seed))
  }
  return {
    seed,
    digest: world.digest >>> 0,
    decisions: recorder.decisions,
    fired: world.faults.fired,
    elapsedMs: world.clock.now - startMs,
  }
}

function buildWorld(options: SimulateOptions, seed: number, decider: Decider): World {
  const { faults: selection = 'swarm', lossy = false, without } = options
  const faults = new Faults(decider, selection, lossy, without)
  const latencyMs = faults.takePart
    ? LATENCIES_MS[decider.decide('link.latency', LATENCIES_MS.length)]!
    : 0
  const link = { latencyMs, ...options.link }
  const direct = !faults.takePart && options.link === undefined
  const world = new World(seed, decider, faults, link, direct, {
    maxRounds: options.maxRounds ?? MAX_ROUNDS,
    chaosMs: options.chaosMs ?? CHAOS_MS,
    quietMs: options.quietMs ?? QUIET_MS,
  })
  const edge = faults.takePart && decider.decide('host.edge', 2) === 1
  world.addHost('server', { edge, ...options })
  for (const [name, host] of Object.entries(options.hosts ?? {}))
    world.addHost(name, { edge, ...host })
  return world
}

function deciderOf({ decider, decisions }: SimulateOptions, seed: number): Decider {
  if (decider !== undefined) return decider
  const given = decisions ?? process.env['EXTPOLL_SIM_DECISIONS']
  if (given === undefined) return new SeededDecider(seed)
  const list = typeof given === 'string' ? parseDecisions(given) : given
  if (list !== undefined) return new ReplayDecider(list)
  throw new UsageError(
    'ERR_EXTPOLL_SIM_DECISIONS',
    "decisions must be a list as a report prints it: 'label=1,0,2 other=3'",
  )
}

function seedOf({ seed }: SimulateOptions): number {
  const given = process.env['EXTPOLL_SIM_SEED']
  const value = given === undefined ? (seed ?? 1) : Number(given)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new UsageError(
    'ERR_EXTPOLL_SIM_SEED',
    `seed must be a whole number from 0, not ${String(given ?? seed)}`,
  )
}

function replayLine({ replayLine: line }: SimulateOptions, seed: number): string {
  return line === undefined ? `EXTPOLL_SIM_SEED=${seed} and this test alone` : line(seed)
}
