/**
 * The ids of src/CONTRACT.md (C1, H1) and their citations, matched both ways.
 *
 * A rule is defined by a heading (`### C14 No hidden work`). It is cited in a comment, or in a
 * string as `(C14)` or at its beginning, as the title of a test does. A rule whose first line is
 * `*(applies once ... is there)*` waits for its feature and may be uncited until then.
 */
import ts from 'typescript'
import { commentsOf, isScript, lineOf, sourceOf, walk } from './typescript-source.js'
import { sample, type Finding, type ProjectFile, type Sample, type TidyRule } from './tidy-rule.js'

const CONTRACT = 'src/CONTRACT.md'

interface Definition {
  readonly line: number
  readonly waits: boolean
}

/** Id -> where it is defined; a second definition of the same id is reported through `twice`. */
function definitionsIn(contract: ProjectFile, twice: (id: string, line: number) => void) {
  const definitions = new Map<string, Definition>()
  const lines = contract.text.split('\n')
  for (const [index, text] of lines.entries()) {
    const id = /^#{2,4} ([CH][1-9]\d?) /.exec(text)?.[1]
    if (id === undefined) continue
    if (definitions.has(id)) twice(id, index + 1)
    const waits = lines[index + 2]?.startsWith('*(applies once') ?? false
    definitions.set(id, { line: index + 1, waits })
  }
  return definitions
}

const citesInStrings = /^[CH][1-9]\d?(?:[,:. ]|$)|\((?:[CH][1-9]\d?(?:, | and |-)?)+\)/g
/** Not a control character set, not C++11, not C 11 the language, not a hexadecimal byte. */
const citesInComments = /(?<![\w%\\.+/-])[CH][1-9]\d?\b(?!\s+(?:control|byte|character)|\+)/g

function idsIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].flatMap(([match]) => match.match(/[CH]\d+/g) ?? [])
}

function citationsIn(file: ProjectFile): { id: string; line: number }[] {
  if (!isScript(file.path)) {
    return file.text.split('\n').flatMap((text, index) => {
      const comment = /(?:\/\/|\/\*|^\s*\*)(.*)/.exec(text)?.[1] ?? ''
      return idsIn(comment, citesInComments).map((id) => ({ id, line: index + 1 }))
    })
  }
  const found = commentsOf(file).flatMap(({ text, line }) =>
    idsIn(text, citesInComments).map((id) => ({ id, line })),
  )
  const source = sourceOf(file)
  walk(source, (node) => {
    if (!ts.isStringLiteralLike(node) && !ts.isTemplateHead(node)) return
    const line = lineOf(source, node.getStart(source))
    for (const id of idsIn(node.text, citesInStrings)) found.push({ id, line })
  })
  return found
}

/** Where a citation counts: not in the tidy rules, whose samples cite what they like. */
function isCiting(path: string): boolean {
  return (
    /^(?:src|integrations|test|examples)\/.*\.(?:[cm]?[tj]s|cc|c|h)$/.test(path) &&
    !path.startsWith('test/tidy/')
  )
}

function check(files: readonly ProjectFile[]): Finding[] {
  const contract = files.find(({ path }) => path === CONTRACT)
  if (!contract) return [{ path: CONTRACT, message: 'is missing' }]
  const findings: Finding[] = []
  const definitions = definitionsIn(contract, (id, line) => {
    findings.push({ path: CONTRACT, line, message: `${id} is defined twice` })
  })
  const cited = new Set<string>()
  for (const file of files) {
    if (!isCiting(file.path)) continue
    for (const { id, line } of citationsIn(file)) {
      cited.add(id)
      if (!definitions.has(id)) {
        findings.push({ path: file.path, line, message: `${id} is not in ${CONTRACT}` })
      }
    }
  }
  for (const [id, { line, waits }] of definitions) {
    if (waits || cited.has(id)) continue
    findings.push({ path: CONTRACT, line, message: `${id} is cited nowhere` })
  }
  return findings
}

const waiting = '*(applies once it is there)*'

const contract: ProjectFile = {
  path: CONTRACT,
  text: '### C1 Grammar\n\nText.\n\n### C2 Later\n\n*(applies once TLS is there)*\n',
}

function withContract(why: string, path: string, ...lines: string[]): Sample {
  return { why, files: [contract, ...sample(why, path, ...lines).files] }
}

export const contractIdsRule: TidyRule = {
  name: 'cites every rule of the contract, and no other',
  check,
  refuses: [
    sample('no contract', 'src/a.ts', '// (C1)'),
    withContract('nobody cites', 'src/a.ts', 'const C1 = 1'),
    withContract('an unknown id in a comment', 'src/a.ts', '// C1', '/* as C31 says */'),
    withContract('an unknown id in a title', 'test/a.ts', '// C1', "it('never spins (C3, C1)', f)"),
    withContract('an unknown id in C++', 'integrations/a.cc', '// C1', '// H9'),
    withContract('only the tidy rules cite', 'test/tidy/a.ts', '// C1'),
    sample('defined twice', CONTRACT, '### C1 A', '', waiting, '### C1 B', '', waiting),
  ],
  accepts: [
    withContract('a comment', 'src/a.ts', '/** Announces (C1). */'),
    withContract('a title', 'test/a.ts', "describe('C1 grammar', f)"),
    withContract(
      'other things of that shape',
      'src/a.ts',
      '// (C1), not C++17, %C3%A9',
      "x('C9A0')",
    ),
  ],
}
