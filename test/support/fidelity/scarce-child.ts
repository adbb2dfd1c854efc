/**
 * The fidelity scenarios in which descriptors run out, in a process that may have few.
 *
 * Prints the differences as JSON. Node's other threads open and close files as well, at the start
 * above all: a difference counts when it is there again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { differencesOf } from './compare.js'
import { FakeMachine } from './fake-machine.js'
import { RealMachine } from './real-machine.js'
import { scarceScenarios } from './scenarios.js'

const REST_MS = 50
const TRIES = 3

function differences(): string[] {
  return (['epoll', 'poll'] as const).flatMap((backend) => {
    const real = new RealMachine(backend)
    try {
      return differencesOf(scarceScenarios, new FakeMachine('direct'), real)
    } finally {
      real.dispose()
    }
  })
}

let found: string[] = []
for (let tries = 0; tries < TRIES; tries += 1) {
  await delay(REST_MS)
  found = differences()
  if (found.length === 0) break
}
console.log(JSON.stringify(found))
