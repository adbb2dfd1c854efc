/**
 * The library on both sides: clients of one host, to a server of another by its name.
 *
 * Whatever names, addresses and connections do, each client is told one beginning or one failure,
 * one end, and the echoes of what it sent, in order.
 */
import {
  clientConnect,
  close,
  defineProtocol,
  hangup,
  isDestroyed,
  TEXT,
  write,
} from '../../../src/index.js'
import type { AnyProtocolDefinition, Wsi } from '../../../src/index.js'
import { faultTable } from '../faults/fault-table.js'
import type { World } from '../world/world.js'
import type { Play } from './play.js'

const CLIENTS = 6
const MESSAGES = 5
const BEGIN_WITHIN_MS = 2_000
const HANGUP_WITHIN_MS = 12_000
/** One in so many hangs up, at whatever it is. */
const HANGUPS = 6
/** Longer than every deadline on the way together. */
const ALL_DEADLINES_MS = 120_000

/** What one client did and heard. */
interface Told {
  readonly name: string
  wsi: Wsi | undefined
  established: number
  failed: string[]
  received: string[]
  closed: string[]
  hungUp: boolean
}

export function clientsPlay(): Play {
  const all: Told[] = []
  return {
    protocol: defineProtocol({
      name: 'play',
      handlers: { RECEIVE: (wsi, data) => void write(wsi, data, TEXT) },
    }),
    clientProtocol: clientProtocol(),
    act(world) {
      for (let number = 0; number < CLIENTS; number += 1) all.push(schedule(world, number))
      world.runFor(BEGIN_WITHIN_MS + HANGUP_WITHIN_MS)
      world.faults.stop()
      world.runFor(ALL_DEADLINES_MS)
      // What a fault swallowed is not coming any more.
      for (const { wsi } of all) if (wsi !== undefined) close(wsi, 1000)
      world.runFor(ALL_DEADLINES_MS)
      for (const told of all) judge(world, told)
    },
  }
}

function clientProtocol(): AnyProtocolDefinition {
  return defineProtocol<Told>({
    name: 'play',
    handlers: {
      CLIENT_ESTABLISHED(wsi, _answer, told) {
        told.established += 1
        for (let sent = 0; sent < MESSAGES; sent += 1) write(wsi, `${told.name}.${sent}`, TEXT)
      },
      CLIENT_RECEIVE(wsi, data, told) {
        told.received.push(data.toString())
        if (told.received.length === MESSAGES) close(wsi, 1000)
      },
      CLIENT_CONNECTION_ERROR: (_wsi, { cause }, told) => void told.failed.push(cause),
      CLOSED: (_wsi, { cause }, told) => void told.closed.push(cause),
    },
  })
}

function schedule(world: World, number: number): Told {
  const name = `client ${number}`
  const told: Told = {
    name,
    wsi: undefined,
    established: 0,
    failed: [],
    received: [],
    closed: [],
    hungUp: false,
  }
  world.after(world.choose(`${name}.begin`, BEGIN_WITHIN_MS), () => {
    const { ctx } = world.host('clients')
    if (isDestroyed(ctx)) return
    told.wsi = clientConnect(ctx, { url: 'ws://server:80/', protocol: 'play', user: told })
    if (world.choose(`${name}.hangup`, HANGUPS) !== 0) return
    world.after(world.choose(`${name}.hangup.at`, HANGUP_WITHIN_MS), () => {
      told.hungUp = true
      hangup(told.wsi!)
    })
  })
  return told
}

function judge(world: World, told: Told): void {
  const { name, wsi, established, failed, received, closed, hungUp } = told
  if (wsi === undefined) return
  const ends = `${established} beginnings, failures ${failed.join()}, ends ${closed.join()}`
  expect(established + failed.length === 1 && closed.length === established, `${name}: ${ends}`)
  if ((world.faults.fired['recv-bit-flip'] ?? 0) > 0) return
  const isPart = received.every((text, index) => text === `${name}.${index}`)
  expect(isPart, `${name} got something else than it sent`)
  if (hungUp || faultTable.some((row) => row.harm !== 'none' && isFired(world, row.name))) return
  expect(received.length === MESSAGES, `${name} got ${received.length} of ${MESSAGES}: ${ends}`)
}

function isFired({ faults }: World, name: keyof World['faults']['fired']): boolean {
  return (faults.fired[name] ?? 0) > 0
}

function expect(holds: boolean, sentence: string): void {
  if (!holds) throw new Error(sentence)
}
