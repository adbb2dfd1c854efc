/** The table of `make mutants`: how soon each was found, how, and what else would have found it. */
import type { Verdict } from './mutant-trial.js'

const FOUND_COLUMNS = 44
const WIRE_COLUMNS = 32

/** Neither the seeds without a fault nor the wire suite find it: the swarm alone does. */
export function getsPastTheRest({ swarm, faultFree, wire, mutant }: Verdict): boolean {
  const isOfTheLibrary = mutant.file.startsWith('src/')
  return isOfTheLibrary && swarm !== undefined && faultFree === undefined && wire === undefined
}

export function formatTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ mutant, swarm, faultFree, wire }) => [
    mutant.name,
    mutant.exhibit ?? '',
    swarm === undefined ? 'NEVER' : String(swarm.seed),
    cut(swarm?.summary ?? '', FOUND_COLUMNS),
    faultFree === undefined ? 'survives' : `seed ${faultFree.seed}`,
    wire === null ? 'not asked' : cut(wire ?? 'survives', WIRE_COLUMNS),
  ])
  const head = ['mutant', '', 'seeds', 'found as', 'without faults', 'wire suite']
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`
}
