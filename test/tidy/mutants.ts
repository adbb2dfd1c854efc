/**
 * The mutants match the sources: a row whose text is gone would test nothing, and nobody knew.
 */
import { misfit } from '../mutants/mutant.js'
import type { Mutant } from '../mutants/mutant.js'
import { mutants } from '../mutants/mutants.js'
import { sample, type Finding, type ProjectFile, type TidyRule } from './tidy-rule.js'

const SAMPLE: Mutant = {
  name: 'sample',
  file: 'src/sample.ts',
  find: 'left + right',
  replace: 'left - right',
  breaks: 'sums',
}

function checkRows(rows: readonly Mutant[], files: readonly ProjectFile[]): Finding[] {
  const findings: Finding[] = []
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  for (const row of rows) {
    const text = texts.get(row.file)
    const message =
      text === undefined ? `mutant ${row.name}: there is no such file` : misfit(row, text)
    if (message !== undefined) findings.push({ path: row.file, message })
  }
  return findings
}

/** The sample's own file stands for the tree in the samples below. */
function check(files: readonly ProjectFile[]): Finding[] {
  const isSample = files.some(({ path }) => path === SAMPLE.file)
  return checkRows(isSample ? [SAMPLE] : mutants, files)
}

export const mutantsRule: TidyRule = {
  name: 'is what its mutants expect it to be',
  check,
  refuses: [
    sample('text that is gone', SAMPLE.file, 'return right + left'),
    sample('text that is there twice', SAMPLE.file, 'left + right', 'left + right'),
    sample('no file', 'src/other.ts', 'left + right'),
  ],
  accepts: [sample('text that is there once', SAMPLE.file, 'return left + right')],
}
