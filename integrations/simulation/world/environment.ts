/**
 * What every part of a simulated world sees of it: time, choices, and where to tell what happened.
 */
import type { Endpoint } from '../endpoint.js'
import type { Faults } from '../faults/faults.js'
import type { FaultName } from '../faults/fault-table.js'
import type { Timeline } from '../timeline.js'
import type { VirtualClock } from '../virtual-clock.js'
import type { Story } from './story.js'

export interface Environment {
  readonly clock: VirtualClock
  readonly timeline: Timeline
  readonly faults: Faults
  readonly story: Story
  /** Chooses a number below n; not for faults, which choose by `faults.pick`. */
  choose(label: string, n: number): number
  /** A number that belongs to the course of the run: what the run's digest is made of. */
  fold(value: number): void
  /** A fault may end this connection before its time, or did. */
  harm(endpoint: Endpoint | undefined, fault: FaultName): void
  /** A connection that says nothing comes to a host. */
  dialSilently(hostName: string): void
}

/** Runs `act` after `ms`, and at the latest when the faults stop. */
export function undoLater(world: Environment, ms: number, act: () => void): void {
  let done = false
  const once = (): void => {
    if (done) return
    done = true
    act()
  }
  world.timeline.at(world.clock.now + ms, once)
  world.faults.onStop(once)
}
