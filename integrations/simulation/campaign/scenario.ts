/** What a campaign runs: a name, and a world and a play made anew for each seed. */
import type { FaultSelection } from '../faults/faults.js'
import type { SimulateOptions } from '../world/simulate.js'
import type { World } from '../world/world.js'
import { chooseLimits } from './limits-swarm.js'
import { Workload } from './workload.js'

export interface Scenario {
  readonly name: string
  /** One line: what it shows. */
  readonly about: string
  /** The faults it is about. Default 'swarm'. */
  readonly faults?: FaultSelection
  /** @param seed what the decisions do not choose may follow from it */
  make(seed: number): {
    readonly options: Omit<SimulateOptions, 'seed' | 'faults'>
    readonly play: (world: World) => void
  }
}

/** The built-in workload, with the limits of each seed's own choosing. */
export const workloadScenario: Scenario = {
  name: 'workload',
  about: 'some clients, some messages each, answered in every way the library has',
  make() {
    const workload = new Workload()
    return {
      options: { protocols: [workload.protocol], context: chooseLimits },
      play: (world) => workload.play(world),
    }
  },
}
