/** What a small bench is asked for: how often, how long, or only whether it runs at all. */
import { parseArgs } from 'node:util'

const text = { type: 'string' }
const flag = { type: 'boolean', default: false }
const options = {
  rounds: text,
  seconds: text,
  attempts: text,
  smoke: flag,
  check: flag,
  help: flag,
}

/** @throws Error with the usage for figures that are none */
export function readArguments(usage) {
  const { values } = parseArgs({ options })
  const { help, smoke, check } = values
  const timing = {
    rounds: smoke ? 1 : Number(values.rounds ?? 9),
    seconds: smoke ? 0.05 : Number(values.seconds ?? 1),
    warmupSeconds: smoke ? 0.05 : 1,
    attempts: smoke ? 1 : Number(values.attempts ?? 3),
  }
  if (!Object.values(timing).every((value) => value > 0)) throw new Error(usage)
  return { help, smoke, check, timing }
}
