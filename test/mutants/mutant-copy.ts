/**
 * Copies of the sources, for mutants to be applied to: the tree itself is never touched.
 *
 * Each is used for one mutant after the other, so that what is compiled of all the other files can
 * be found again.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../tidy/project-files.js'
import { mutate } from './mutant.js'
import type { Mutant } from './mutant.js'

/** Within the project, so that its packages are found. */
const FOLDER = join(projectRoot, 'test', '.out', 'mutants')
const WHOLE = ['src', 'integrations', 'test/support', 'test/mutants']
const FILES = ['package.json', 'tsconfig.json', 'tsconfig.test.json', '.mocharc.json']
/**
 * What plays the library by its bytes, without a process of its own: the conformance of the wire,
 * and the rules for limits, deadlines, flow and service beside it. What the swarm found first, and
 * the regressions for that, is no judge of the swarm.
 */
export const WIRE_SUITE = /^2(?!9\.swarm-finds).*\.test\.ts$/

export class MutantCopy {
  readonly folder: string

  constructor(number: number) {
    this.folder = join(FOLDER, String(number))
    rmSync(this.folder, { recursive: true, force: true })
    mkdirSync(join(this.folder, 'test'), { recursive: true })
    for (const path of [...WHOLE, ...FILES])
      cpSync(join(projectRoot, path), join(this.folder, path), { recursive: true })
    for (const name of this.wireSuite())
      cpSync(join(projectRoot, 'test', name), join(this.folder, 'test', name))
  }

  wireSuite(): string[] {
    return readdirSync(join(projectRoot, 'test')).filter((name) => WIRE_SUITE.test(name))
  }

  /** Lets `act` work with the mutant applied. */
  async with<Result>(mutant: Mutant, act: () => Promise<Result>): Promise<Result> {
    const path = join(this.folder, mutant.file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, mutate(mutant, text))
    try {
      return await act()
    } finally {
      writeFileSync(path, text)
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
