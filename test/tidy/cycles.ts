/**
 * No module imports itself by way of others, type-only imports included. Knows no layer.
 */
import { importsOf, isScript, resolveRelative } from './typescript-source.js'
import type { Finding, ProjectFile, Sample, TidyRule } from './tidy-rule.js'

function graphOf(files: readonly ProjectFile[]): Map<string, string[]> {
  const scripts = files.filter(({ path }) => isScript(path))
  const known = new Set(scripts.map(({ path }) => path))
  return new Map(
    scripts.map((file) => [
      file.path,
      importsOf(file)
        .map(({ specifier }) => resolveRelative(file.path, specifier))
        .filter((target) => target !== undefined && known.has(target)) as string[],
    ]),
  )
}

/** One finding per cycle met, at the module where it was entered. */
function check(files: readonly ProjectFile[]): Finding[] {
  const graph = graphOf(files)
  const findings: Finding[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) {
      const cycle = [...trail.slice(start), path].join(' -> ')
      findings.push({ path, message: `imports itself: ${cycle}` })
      return
    }
    if (done.has(path)) return
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return findings
}

function modules(why: string, imports: Record<string, string>): Sample {
  const files = Object.entries(imports).map(([path, text]) => ({ path, text }))
  return { why, files }
}

export const cyclesRule: TidyRule = {
  name: 'has no import cycle',
  check,
  refuses: [
    modules('two modules', {
      'src/a.ts': "import { b } from './b.js'",
      'src/b.ts': "import { a } from './a.js'",
    }),
    modules('three, one edge a type', {
      'src/a.ts': "import { b } from './poll/b.js'",
      'src/poll/b.ts': "import type { C } from './c.js'",
      'src/poll/c.ts': "export { a } from '../a.js'",
    }),
    modules('itself', { 'src/a.ts': "import { a } from './a.js'" }),
  ],
  accepts: [
    modules('a diamond', {
      'src/a.ts': "import './b.js'\nimport './c.js'",
      'src/b.ts': "import './d.js'",
      'src/c.ts': "import './d.js'",
      'src/d.ts': 'export const d = 1',
    }),
  ],
}
