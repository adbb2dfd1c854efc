/**
 * A page in Markdown as data: its code blocks by heading, and its tables by heading.
 *
 * Knows the few forms that the project's pages use, and no page by name.
 */
import { readFileSync } from 'node:fs'
import { projectRoot } from './programs.js'

/** A fenced block. */
export interface CodeBlock {
  readonly heading: string
  /** `ts`, `sh`; '' for none. */
  readonly language: string
  readonly text: string
}

/** A row of a table, header and rule apart. */
export interface TableRow {
  readonly heading: string
  readonly cells: readonly string[]
  readonly line: string
}

export interface Page {
  readonly text: string
  readonly blocks: readonly CodeBlock[]
  readonly rows: readonly TableRow[]
  /** Everything but the blocks. */
  readonly prose: string
}

/** @param path from the project's folder */
export function readPage(path: string): Page {
  const text = readFileSync(projectRoot + path, 'utf8')
  const blocks: CodeBlock[] = []
  const rows: TableRow[] = []
  const prose: string[] = []
  let heading = ''
  let block: { heading: string; language: string; lines: string[] } | undefined
  for (const line of text.split('\n')) {
    const fence = /^```(\w*)/.exec(line)
    if (fence !== null && block === undefined) {
      block = { heading, language: fence[1] ?? '', lines: [] }
    } else if (fence !== null && block !== undefined) {
      blocks.push({ heading, language: block.language, text: `${block.lines.join('\n')}\n` })
      block = undefined
    } else if (block !== undefined) {
      block.lines.push(line)
    } else {
      heading = /^#+ (.+)$/.exec(line)?.[1] ?? heading
      prose.push(line)
      if (/^\|.*\|$/.test(line)) rows.push({ heading, cells: cellsOf(line), line })
    }
  }
  return { text, blocks, rows: rows.filter((row) => !isHead(row, rows)), prose: prose.join('\n') }
}

/** The first two lines of a table: names and a rule. */
function isHead(row: TableRow, rows: readonly TableRow[]): boolean {
  const isRule = ({ cells }: TableRow): boolean => cells.every((cell) => /^-+$/.test(cell))
  const next = rows[rows.indexOf(row) + 1]
  return isRule(row) || (next !== undefined && isRule(next))
}

/** Columns are divided by bars; one with a backslash before it is text. */
function cellsOf(line: string): string[] {
  const inner = line.slice(1, -1).split(/(?<!\\)\|/)
  return inner.map((cell) => cell.replaceAll('\\|', '|').trim())
}

/** What stands between backquotes. */
export function codeSpans(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? '')
}

/** The names in a piece of code: no text between quotes, no number. */
export function namesIn(code: string): string[] {
  return code.replace(/'[^']*'/g, '').match(/(?<![\w$.-])[A-Za-z_$][\w$]*/g) ?? []
}
