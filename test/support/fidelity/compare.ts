/**
 * One scenario on two machines: the FakeKernel says what happens, and Linux has to agree.
 */
import type { Machine, Transport } from './machine.js'
import { Play } from './play.js'

export interface FidelityScenario {
  readonly name: string
  readonly transport: Transport
  /** Steps divided by `;`. */
  readonly steps: string
}

/** What came of one step. */
interface Line {
  readonly step: string
  readonly answer: string
  /** Every open descriptor afterwards. */
  readonly state: string
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))
/** Asked again so often without a pause: as a rule the first answer is right. */
const EAGER_TRIES = 20

/** Plays a scenario; with `expected`, waits as long as it takes for it, within the patience. */
export function play(
  machine: Machine,
  { steps, transport }: FidelityScenario,
  expected: readonly Line[] = [],
): Line[] {
  const stage = new Play(machine, transport)
  const lines: Line[] = []
  try {
    for (const [index, text] of steps.split(';').entries()) {
      const step = text.trim()
      const wanted = expected[index]
      let answer = stage.run(step)
      patiently(machine, () => {
        if (wanted === undefined || answer === wanted.answer) return true
        const later = stage.again(step, answer)
        answer = later ?? answer
        return later === undefined
      })
      let state = stage.state()
      patiently(machine, () => {
        state = stage.state()
        return wanted === undefined || state === wanted.state
      })
      lines.push({ step, answer, state })
      // What comes after a difference says nothing more.
      if (wanted !== undefined && (answer !== wanted.answer || state !== wanted.state)) break
    }
  } finally {
    stage.end()
  }
  return lines
}

/** The first step in which two machines differ. */
export interface Difference {
  /** From 1. */
  readonly step: number
  readonly real: Line
  readonly fake: Line
  /** All of it in words. */
  readonly text: string
}

/** @returns undefined where they do not differ */
export function differenceOf(
  scenario: FidelityScenario,
  fake: Machine,
  real: Machine,
): Difference | undefined {
  const wanted = play(fake, scenario).map((line) => normalized(line, real))
  const got = play(real, scenario, wanted)
  const at = got.findIndex((line, index) => format(line) !== format(wanted[index]))
  if (at < 0) return undefined
  const text = [
    `${scenario.transport}, ${scenario.name}: ${scenario.steps}`,
    `  step ${at + 1}: ${got[at]!.step}`,
    `  ${real.name}: ${format(got[at])}`,
    `  ${fake.name}: ${format(wanted[at])}`,
  ].join('\n')
  return { step: at + 1, real: got[at]!, fake: wanted[at]!, text }
}

/** Every difference, in words. */
export function differencesOf(
  scenarios: readonly FidelityScenario[],
  fake: Machine,
  real: Machine,
): string[] {
  return scenarios.flatMap((scenario) => differenceOf(scenario, fake, real)?.text ?? [])
}

/** Where the real machine keeps no order, nobody does. */
function normalized(line: Line, real: Machine): Line {
  const [verb] = line.step.split(' ')
  if (real.keepsOrder || (verb !== 'wait' && verb !== 'live')) return line
  return { ...line, answer: line.answer.split(', ').sort().join(', ') }
}

function format(line: Line | undefined): string {
  return line === undefined ? '(nothing)' : `${line.answer} | ${line.state}`
}

/** Asks until the answer is yes, or the machine has had all the time it may need. */
function patiently(machine: Machine, isRight: () => boolean): void {
  if (isRight() || machine.patienceMs === 0) return
  const endMs = performance.now() + machine.patienceMs
  for (let tries = 0; !isRight() && performance.now() < endMs; tries += 1)
    if (tries > EAGER_TRIES) Atomics.wait(sleeper, 0, 0, 1)
}
