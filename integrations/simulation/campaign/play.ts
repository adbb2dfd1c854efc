/** What the plays have in common: peers that say something, and that got all of it in the end. */
import { BINARY, defineProtocol, isBinary, TEXT, write } from '../../../src/index.js'
import type { AnyProtocolDefinition, Handlers } from '../../../src/index.js'
import type { SimContextOptions } from '../world/sim-host.js'
import type { SimPeer } from '../world/sim-peer.js'
import type { World } from '../world/world.js'

export interface Play {
  readonly protocol: AnyProtocolDefinition
  readonly act: (world: World) => void
  /** Limits that it needs. */
  readonly context?: SimContextOptions
  /** As SimHostOptions.batches; default: some seeds do. */
  readonly batches?: boolean
  /** What a second host, called `clients`, speaks: a play with clients of the library's own. */
  readonly clientProtocol?: AnyProtocolDefinition
}

export const PEERS = 4

export function protocolOf(handlers: Handlers<undefined>): AnyProtocolDefinition {
  return defineProtocol({ name: 'play', payload: 'view', handlers })
}

export function echoProtocol(): AnyProtocolDefinition {
  return protocolOf({
    RECEIVE: (wsi, data) => void write(wsi, data, isBinary(wsi) ? BINARY : TEXT),
  })
}

export function connectAll(world: World, sent: readonly string[]): SimPeer[] {
  return Array.from({ length: PEERS }, () => {
    const peer = world.connect('play')
    for (const text of sent) peer.send(text)
    return peer
  })
}

function isHarmed(peer: SimPeer, speaker: SimPeer | undefined): boolean {
  return peer.harmedBy !== undefined || speaker?.harmedBy !== undefined
}

export function isWell(peer: SimPeer): boolean {
  return peer.state === 'open' && peer.harmedBy === undefined
}

/** Everybody who survived has got everything, then closes, and is closed. */
export function finish(
  world: World,
  peers: readonly SimPeer[],
  sent: readonly string[],
  speaker?: SimPeer,
): void {
  world.run()
  world.faults.stop()
  world.run()
  for (const peer of peers) {
    peer.close()
    // What it sent arrived as something else.
    if (peer.isGarbled || speaker?.isGarbled === true) continue
    const got = peer.received.map(String)
    const isPart = got.every((text, index) => text === sent[index])
    expect(isPart, `${peer.name} got something else than was sent`)
    const isWhole = got.length === sent.length || isHarmed(peer, speaker)
    expect(isWhole, `${peer.name} got ${got.length} messages of ${sent.length}`)
  }
  world.run()
  for (const { name, closed, harmedBy } of peers) {
    const isClean = closed?.code === 1000 && closed.clean
    expect(isClean || harmedBy !== undefined, `${name} ended with ${String(closed?.code)}`)
  }
}

export function expect(holds: boolean, sentence: string): void {
  if (!holds) throw new Error(sentence)
}
