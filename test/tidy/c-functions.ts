/**
 * Where the functions of a C or C++ file begin and how long they are, by braces alone.
 *
 * Not a parser: it strips comments, strings and preprocessor lines, then takes a block for a
 * function where what precedes the brace ends like one. A macro that hides a brace would fool it.
 */
import type { ProjectFile } from './tidy-rule.js'

export interface CFunction {
  readonly name: string
  readonly line: number
  readonly lines: number
}

const notCode = new RegExp(
  [
    /\/\/[^\n]*/, // comments
    /\/\*[^]*?\*\//,
    /R"(\w*)\([^]*?\)\1"/, // raw strings, strings, characters
    /"(?:\\.|[^"\\\n])*"/,
    /'(?:\\.|[^'\\\n])+'/,
    /^[ \t]*#(?:\\\n|[^\n])*/, // the preprocessor's lines
  ]
    .map(({ source }) => source)
    .join('|'),
  'gm',
)

/** The same text, as long and with the same line ends, where only code is left. */
function codeOf(text: string): string {
  return text.replace(notCode, (match) => match.replace(/[^\n]/g, ' '))
}

const control = /^(?:else\s+)?(?:if|for|while|switch|catch)\b/
const afterParameters = /\)\s*(?:const|noexcept|override|final|mutable|->\s*[\w:<>*& ]+|\s)*$/
/** A constructor's initializers: `A() : a_(1), b_{2}`. */
const initializers = /\)\s*:\s*[\w:<>]+[({]/

function functionName(header: string): string | undefined {
  const text = header.trim().replace(/\s+/g, ' ')
  if (control.test(text)) return undefined
  if (!afterParameters.test(text) && !initializers.test(text)) return undefined
  return /([\w:~]+)\s*\(/.exec(text)?.[1] ?? 'a lambda'
}

export function cFunctionsOf(file: ProjectFile): CFunction[] {
  const code = codeOf(file.text)
  const found: CFunction[] = []
  const open: { name: string | undefined; line: number }[] = []
  let line = 1
  let header = ''
  let headerLine = 1
  for (const character of code) {
    if (header.trim() === '') headerLine = line
    if (character === '\n') line++
    if (character === '{') {
      open.push({ name: functionName(header), line: headerLine })
    } else if (character === '}') {
      const block = open.pop()
      if (block?.name !== undefined) {
        found.push({ name: block.name, line: block.line, lines: line - block.line + 1 })
      }
    }
    header = '{};'.includes(character) ? '' : header + character
  }
  return found
}
