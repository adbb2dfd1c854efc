/**
 * Rule C24, read: the source names no clock, timer, promise, source of chance, process or console.
 *
 * By the syntax tree, so that comments, strings and property names of our own do not count. The
 * names are in banned-names.json, which the linter reads too. That nothing is reached under another
 * name is shown by running it: closed-world-child.ts.
 */
import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { isScript, lineOf, sourceOf, walk } from './typescript-source.js'
import { sample, type Finding, type ProjectFile, type TidyRule } from './tidy-rule.js'

interface BannedNames {
  readonly globals: readonly string[]
  readonly members: readonly string[]
  readonly keywords: readonly string[]
}

const banned = JSON.parse(
  readFileSync(new URL('./banned-names.json', import.meta.url), 'utf8'),
) as BannedNames

/** An identifier that is looked up as a variable or a type, not one that names a member. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isQualifiedName(parent)) return parent.left === node
  const named =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isGetAccessorDeclaration(parent) ||
    ts.isSetAccessorDeclaration(parent) ||
    ts.isEnumMember(parent)
  return !(named && parent.name === node)
}

function bannedAt(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node) && isReference(node) && banned.globals.includes(node.text)) {
    return node.text
  }
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) {
    const name = ts.isPropertyAccessExpression(node)
      ? node.name.text
      : ts.isStringLiteralLike(node.argumentExpression)
        ? node.argumentExpression.text
        : ''
    const member = `${node.expression.getText()}.${name}`
    return banned.members.includes(member) ? member : undefined
  }
  const keyword =
    node.kind === ts.SyntaxKind.AsyncKeyword
      ? 'async'
      : node.kind === ts.SyntaxKind.AwaitKeyword || ts.isAwaitExpression(node)
        ? 'await'
        : undefined
  return keyword !== undefined && banned.keywords.includes(keyword) ? keyword : undefined
}

function check(files: readonly ProjectFile[]): Finding[] {
  const findings: Finding[] = []
  for (const file of files) {
    if (!file.path.startsWith('src/') || !isScript(file.path)) continue
    const source = sourceOf(file)
    walk(source, (node) => {
      const name = bannedAt(node)
      if (name === undefined) return
      const line = lineOf(source, node.getStart(source))
      findings.push({ path: file.path, line, message: `uses ${name} (C24)` })
    })
  }
  return findings
}

const line = (text: string) => sample(text, 'src/a.ts', text)

export const closedWorldRule: TidyRule = {
  name: 'keeps src/ a closed world',
  check,
  refuses: [
    line('const now = Date.now()'),
    line('const now = new Date()'),
    line('const now = performance.now()'),
    line('setTimeout(() => {}, 1)'),
    line('setImmediate(f)'),
    line('const later = queueMicrotask'),
    line('const n = Math.random()'),
    line("const n = Math['random']()"),
    line('const port = process.env.PORT'),
    line("console.log('here')"),
    line('async function f() {}'),
    line('const f = async () => 1'),
    line('async function f() { await g }'),
    line('function f(): Promise<void> { return g() }'),
    line('const clock = globalThis.Date'),
    line('const { now } = { now: Date }'),
    line('const o = { Date }'),
    line('const hash = crypto.getRandomValues(bytes)'),
  ],
  accepts: [
    line('// Date, setTimeout and process belong to the host'),
    line("const header = 'Date: ' + text"),
    line('const n = Math.max(1, 2)'),
    line('const o = { process: 1, Date: 2 }; o.process'),
    line('interface Host { console(): void }'),
    sample('another folder', 'integrations/a.ts', 'setTimeout(f, Date.now())'),
  ],
}
