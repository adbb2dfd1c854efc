/**
 * A TypeScript or JavaScript file as the compiler's syntax tree: imports, comments, lines.
 *
 * Knows no rule of this project. Parsing is by file, without types, and remembered per text.
 */
import ts from 'typescript'
import type { ProjectFile } from './tidy-rule.js'

export interface Import {
  readonly specifier: string
  /** Names taken, as the exporting module calls them; `*` and `default` for those forms. */
  readonly names: readonly string[]
  readonly line: number
}

const parsed = new WeakMap<ProjectFile, ts.SourceFile>()

export function isScript(path: string): boolean {
  return /\.[cm]?[tj]s$/.test(path)
}

export function sourceOf(file: ProjectFile): ts.SourceFile {
  let source = parsed.get(file)
  if (!source) {
    source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
    parsed.set(file, source)
  }
  return source
}

export function lineOf(source: ts.SourceFile, position: number): number {
  return source.getLineAndCharacterOfPosition(position).line + 1
}

/** Calls `visit` for every node, parents first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

/** Every comment's text and first line. */
export function commentsOf(file: ProjectFile): { text: string; line: number }[] {
  const source = sourceOf(file)
  const found = new Map<number, { text: string; line: number }>()
  const keep = (ranges: readonly ts.CommentRange[] | undefined): void => {
    for (const { pos, end } of ranges ?? []) {
      found.set(pos, { text: file.text.slice(pos, end), line: lineOf(source, pos) })
    }
  }
  const visit = (node: ts.Node): void => {
    keep(ts.getLeadingCommentRanges(file.text, node.getFullStart()))
    if (node.kind !== ts.SyntaxKind.JsxText) {
      keep(ts.getTrailingCommentRanges(file.text, node.getEnd()))
    }
    for (const child of node.getChildren(source)) visit(child)
  }
  visit(source)
  return [...found.values()]
}

function namesOf(clause: ts.ImportClause | ts.NamedExports | undefined): string[] {
  if (!clause) return []
  const bindings = ts.isNamedExports(clause) ? clause : clause.namedBindings
  const names = ts.isImportClause(clause) && clause.name ? ['default'] : []
  if (!bindings) return names
  if (ts.isNamespaceImport(bindings)) return [...names, '*']
  return [...names, ...bindings.elements.map((e) => (e.propertyName ?? e.name).text)]
}

/** What a node imports: static, re-exported, dynamic, `require`d, or in a type. */
function importAt(node: ts.Node): Omit<Import, 'line'> | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, names: namesOf(node.importClause) }
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
    const named = node.exportClause && ts.isNamedExports(node.exportClause)
    return {
      specifier: (node.moduleSpecifier as ts.StringLiteral).text,
      names: named ? namesOf(node.exportClause) : ['*'],
    }
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { specifier: (node.argument.literal as ts.StringLiteral).text, names: ['*'] }
  }
  if (ts.isExternalModuleReference(node) && ts.isStringLiteral(node.expression)) {
    return { specifier: node.expression.text, names: ['*'] }
  }
  if (ts.isCallExpression(node)) {
    const { expression } = node
    const first = node.arguments[0]
    const dynamic = expression.kind === ts.SyntaxKind.ImportKeyword
    const required = ts.isIdentifier(expression) && expression.text === 'require'
    if ((dynamic || required) && first && ts.isStringLiteralLike(first)) {
      return { specifier: first.text, names: ['*'] }
    }
  }
  return undefined
}

export function importsOf(file: ProjectFile): Import[] {
  const source = sourceOf(file)
  const found: Import[] = []
  walk(source, (node) => {
    const taken = importAt(node)
    if (taken) found.push({ ...taken, line: lineOf(source, node.getStart(source)) })
  })
  return found
}

/** The path a relative specifier means, `.js` read as the `.ts` it is; else undefined. */
export function resolveRelative(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const parts = from.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/').replace(/\.js$/, '.ts')
}
