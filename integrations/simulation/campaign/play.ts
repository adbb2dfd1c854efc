/** What a scenario plays: an application, and what is done to it. */
import type { AnyProtocolDefinition } from '../../../src/index.js'
import type { SimContextOptions } from '../world/sim-host.js'
import type { World } from '../world/world.js'

export interface Play {
  readonly protocol: AnyProtocolDefinition
  readonly act: (world: World) => void
  /** Limits that it needs. */
  readonly context?: SimContextOptions
  /** What a second host, called `clients`, speaks: a play with clients of the library's own. */
  readonly clientProtocol?: AnyProtocolDefinition
}
