/** What the compiler says of programs that a test has, under the strict settings of the project. */
import ts from 'typescript'
import { testCompilerOptions } from './public-surface.js'

/**
 * @param files absolute paths; what they import is compiled with them and not judged: `make tidy`
 *   does that, and it takes most of the time
 * @returns for each file that does not compile its messages, each with its line
 */
export function typeCheck(
  files: readonly string[],
  options: ts.CompilerOptions = {},
): Record<string, string[]> {
  const program = ts.createProgram([...files], { ...testCompilerOptions(), ...options })
  const found: Record<string, string[]> = {}
  for (const file of files) {
    const messages = ts.getPreEmitDiagnostics(program, program.getSourceFile(file)).map(inOneLine)
    if (messages.length > 0) found[file] = messages
  }
  return found
}

function inOneLine({ file, start, messageText }: ts.Diagnostic): string {
  const line = (file?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0) + 1
  return `${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
}
