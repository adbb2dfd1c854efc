/**
 * The fidelity scenarios in which descriptors run out, in a process that may have few.
 *
 * Prints the differences as JSON.
 */
import { differencesOf } from './compare.js'
import { FakeMachine } from './fake-machine.js'
import { RealMachine } from './real-machine.js'
import { scarceScenarios } from './scenarios.js'

const differences = (['epoll', 'poll'] as const).flatMap((backend) => {
  const real = new RealMachine(backend)
  try {
    return differencesOf(scarceScenarios, new FakeMachine('direct'), real)
  } finally {
    real.dispose()
  }
})
console.log(JSON.stringify(differences))
