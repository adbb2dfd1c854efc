/**
 * Lengths: 400 lines a file, 70 a function, 100 columns a line.
 *
 * Two exceptions, by meaning and not by file: the body of a describe() is a chapter, not a
 * function; and a line may be as long as it must where breaking it would change what it is (a
 * table marked `prettier-ignore` or `clang-format off`, text inside a multi-line template, an
 * address). Function lengths of C and C++ are measured in c-functions.ts.
 */
import ts from 'typescript'
import { cFunctionsOf } from './c-functions.js'
import { isScript, lineOf, sourceOf, walk } from './typescript-source.js'
import { sample, type Finding, type ProjectFile, type TidyRule } from './tidy-rule.js'

const MAX_FILE_LINES = 400
const MAX_FUNCTION_LINES = 70
const MAX_COLUMNS = 100

const judged = /\.(?:[cm]?[tj]s|cc|c|h)$/

/** `describe('...', here)`, with `describe.skip` and the like. */
function isChapter(node: ts.Node): boolean {
  const call = node.parent
  if (!ts.isCallExpression(call) || !call.arguments.includes(node as ts.Expression)) return false
  let callee: ts.Expression = call.expression
  while (ts.isPropertyAccessExpression(callee)) callee = callee.expression
  return ts.isIdentifier(callee) && callee.text === 'describe'
}

function longFunctions(file: ProjectFile): Finding[] {
  const findings: Finding[] = []
  const source = sourceOf(file)
  const inTests = file.path.startsWith('test/')
  walk(source, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || !node.body) return
    if (inTests && isChapter(node)) return
    const first = lineOf(source, node.getStart(source))
    const lines = lineOf(source, node.getEnd()) - first + 1
    if (lines <= MAX_FUNCTION_LINES) return
    const name = node.name?.getText(source) ?? 'a function'
    const message = `${name} has ${lines} lines, more than ${MAX_FUNCTION_LINES}`
    findings.push({ path: file.path, line: first, message })
  })
  return findings
}

/** Lines that may be long in a script: marked tables, text inside multi-line templates. */
function mayBeLongInScript(file: ProjectFile): Set<number> {
  const source = sourceOf(file)
  const lines = new Set<number>()
  const add = (first: number, last: number): void => {
    for (let line = first; line <= last; line++) lines.add(line)
  }
  walk(source, (node) => {
    const first = lineOf(source, node.getStart(source))
    const last = lineOf(source, node.getEnd())
    if (ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
      if (last > first) add(first, last)
    }
    const before = file.text.slice(node.getFullStart(), node.getStart(source))
    if (before.includes('// prettier-ignore\n')) add(first, last)
  })
  return lines
}

/** The same in C and C++, where the formatter's own pair of marks encloses a table. */
function mayBeLongInC(text: readonly string[]): Set<number> {
  const lines = new Set<number>()
  let inside = false
  for (const [index, line] of text.entries()) {
    if (line.includes('clang-format off')) inside = true
    if (line.includes('clang-format on')) inside = false
    if (inside) lines.add(index + 1)
  }
  return lines
}

function longLines(file: ProjectFile, text: readonly string[]): Finding[] {
  let mayBeLong: Set<number> | undefined
  const findings: Finding[] = []
  for (const [index, line] of text.entries()) {
    const columns = Array.from(line).length
    if (columns <= MAX_COLUMNS || /https?:\/\/\S{40,}/.test(line)) continue
    mayBeLong ??= isScript(file.path) ? mayBeLongInScript(file) : mayBeLongInC(text)
    if (mayBeLong.has(index + 1)) continue
    const message = `${columns} columns, more than ${MAX_COLUMNS}`
    findings.push({ path: file.path, line: index + 1, message })
  }
  return findings
}

function check(files: readonly ProjectFile[]): Finding[] {
  const findings: Finding[] = []
  for (const file of files) {
    if (!judged.test(file.path)) continue
    const text = file.text.replace(/\n$/, '').split('\n')
    if (text.length > MAX_FILE_LINES) {
      const message = `${text.length} lines, more than ${MAX_FILE_LINES}`
      findings.push({ path: file.path, message })
    }
    findings.push(...longLines(file, text))
    if (isScript(file.path)) findings.push(...longFunctions(file))
    else
      findings.push(
        ...cFunctionsOf(file)
          .filter(({ lines }) => lines > MAX_FUNCTION_LINES)
          .map(({ name, line, lines }) => ({
            path: file.path,
            line,
            message: `${name} has ${lines} lines, more than ${MAX_FUNCTION_LINES}`,
          })),
      )
  }
  return findings
}

const body = (lines: number): string[] => Array.from({ length: lines }, () => '  work()')
const wide = 'x'.repeat(MAX_COLUMNS)

export const lengthsRule: TidyRule = {
  name: 'keeps files, functions and lines short',
  check,
  refuses: [
    sample('401 lines', 'src/a.ts', ...body(401)),
    sample('a long method', 'src/a.ts', 'class A {', 'm() {', ...body(69), '}', '}'),
    sample('a long arrow', 'src/a.ts', 'const f = () => {', ...body(69), '}'),
    sample('a describe outside of tests', 'src/a.ts', 'describe("a", () => {', ...body(69), '})'),
    sample('a long it() in a test', 'test/a.ts', 'it("a", () => {', ...body(69), '})'),
    sample('101 columns', 'src/a.ts', `// ${wide}`),
    sample('a long function in C++', 'integrations/a.cc', 'int f(int a) {', ...body(69), '}'),
    sample('101 columns in C', 'test/bench/a.c', `// ${wide}`),
  ],
  accepts: [
    sample('400 lines', 'src/a.ts', ...body(400)),
    sample('70 lines', 'src/a.ts', 'function f() {', ...body(68), '}'),
    sample('a chapter of a test', 'test/a.ts', 'describe("a", () => {', ...body(300), '})'),
    sample('a marked table', 'src/a.ts', '// prettier-ignore', 'const t = [', `  '${wide}',`, ']'),
    sample('text in a template', 'src/a.ts', 'const t = `', wide, '`'),
    sample('an address', 'src/a.ts', `// https://example.com/${wide}`),
    sample('a struct in C', 'integrations/a.h', 'struct A {', ...body(80), '};'),
    sample('prose', 'README.md', wide + wide),
  ],
}
