/**
 * The FakeKernel is true to Linux: the same steps on both, and every answer and every readiness
 * compared.
 *
 * After each step the readiness of every open descriptor is compared as well, so that no scenario
 * can leave something unseen. Scenarios are data: support/fidelity/scenarios.ts.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { POLLERR, POLLHUP } from '../src/index.js'
import { needsAddon, runChildWell } from './support/epoll-addon.js'
import { differenceOf, differencesOf } from './support/fidelity/compare.js'
import type { FidelityScenario } from './support/fidelity/compare.js'
import { FakeMachine } from './support/fidelity/fake-machine.js'
import { randomProgram } from './support/fidelity/random-programs.js'
import { RealMachine } from './support/fidelity/real-machine.js'
import {
  heldScenarios,
  knownDifferences,
  namedScenarios,
  partingScenarios,
  scarceScenarios,
  slowScenarios,
} from './support/fidelity/scenarios.js'

const PROGRAMS = Number(process.env['EXTPOLL_FIDELITY_PROGRAMS'] ?? 100)
const MAX_DIFFERENCES = 5

/** A kernel that forgets to tell of hang-ups and errors: what this suite has to notice. */
class DeafMachine extends FakeMachine {
  override readiness(fds: readonly number[]): number[] {
    return super.readiness(fds).map((mask) => mask & ~(POLLHUP | POLLERR))
  }
}

describe('54 fidelity: the FakeKernel and Linux', function () {
  needsAddon()
  this.timeout(60_000)

  let epoll: RealMachine
  let poll: RealMachine
  const direct = new FakeMachine('direct')
  const link = new FakeMachine('link')

  before(() => {
    epoll = new RealMachine('epoll')
    poll = new RealMachine('poll')
  })

  after(() => {
    for (const machine of [epoll, poll]) machine?.dispose()
  })

  /** On both backends, and on both ways of the FakeKernel. */
  const agree = (scenarios: readonly FidelityScenario[]): void => {
    const found = [
      ...differencesOf(scenarios, direct, epoll),
      ...differencesOf(scenarios, link, poll),
    ]
    assert.equal(found.length, 0, `${found.length} differences:\n${found.slice(0, 5).join('\n')}`)
  }

  for (const scenario of namedScenarios)
    it(`${scenario.transport}: ${scenario.name}`, () => agree([scenario]))

  for (const scenario of slowScenarios)
    it(`${scenario.transport}: ${scenario.name}`, () => {
      assert.equal(differenceOf(scenario, link, epoll)?.text, undefined)
    })

  it(`${heldScenarios.length} in which somebody else holds the descriptor`, () =>
    agree(heldScenarios))

  it(`${scarceScenarios.length} in which descriptors run out`, async () => {
    const { stdout } = await runChildWell('fidelity/scarce-child.ts', [], { maxFds: 160 })
    assert.deepEqual(JSON.parse(stdout), [])
  })

  it(`${partingScenarios.length} ways in which two ends part`, () => agree(partingScenarios))

  for (const transport of ['tcp', 'unix'] as const)
    it(`${PROGRAMS} random programs, ${transport}`, () => {
      agree(Array.from({ length: PROGRAMS }, (_, index) => randomProgram(index + 1, transport)))
    })

  it('are 200 and more, each on Linux and on the FakeKernel', () => {
    const all = [namedScenarios, slowScenarios, heldScenarios, scarceScenarios, partingScenarios]
    const steps = new Set(all.flat().map((one) => `${one.transport} ${one.steps}`))
    assert.ok(steps.size >= 200, `${steps.size}`)
  })

  it('notice a kernel that tells nothing of hang-ups', () => {
    const impatient = Object.assign(new RealMachine('epoll'), { patienceMs: 0 })
    const found = differencesOf(partingScenarios, new DeafMachine('direct'), impatient)
    impatient.dispose()
    assert.ok(found.length > partingScenarios.length / 4, `${found.length}`)
  })

  it('the page of the simulation lists what differs', () => {
    const page = new URL('../integrations/simulation/README.md', import.meta.url)
    const [, chapter = ''] = readFileSync(page, 'utf8').split(/^## How true the kernel is$/m)
    const [table = ''] = chapter.split(/^## /m)
    // A head and a line beneath it come first.
    assert.equal(table.match(/^\| /gm)?.length, knownDifferences.length + 2)
  })

  it(`differ in ${knownDifferences.length} known ways, at most ${MAX_DIFFERENCES}`, () => {
    assert.ok(knownDifferences.length <= MAX_DIFFERENCES)
    const impatient = Object.assign(new RealMachine('epoll'), { patienceMs: 0 })
    for (const known of knownDifferences) {
      const { step, real, fake } = differenceOf(known, direct, impatient) ?? assert.fail(known.name)
      const { linux } = known
      assert.deepEqual(
        { step, linux: real.answer, fake: fake.answer },
        { step: known.step, linux, fake: known.fake },
      )
    }
    impatient.dispose()
  })
})
