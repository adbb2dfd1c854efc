/**
 * What a user can import, as the compiler sees it: the names of each entry point, their members.
 *
 * Reads package.json's exports and the sources behind them. Knows no page.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { projectRoot } from './programs.js'

/** One entry of package.json's `exports`. */
export interface EntryPoint {
  /** As it is imported: `extpoll/epoll`. */
  readonly name: string
  /** Its source: `integrations/epoll.ts`. */
  readonly source: string
}

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
}

/** The compiler's options of the project's tests, without output. */
export function testCompilerOptions(): ts.CompilerOptions {
  const file = join(projectRoot, 'tsconfig.test.json')
  const config = ts.getParsedCommandLineOfConfigFile(file, {}, parseHost)
  if (config === undefined) throw new Error(`${file} cannot be read`)
  return { ...config.options, noEmit: true }
}

const parseHost: ts.ParseConfigFileHost = {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic(diagnostic) {
    throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
  },
}

export function entryPoints(): EntryPoint[] {
  const text = readFileSync(join(projectRoot, 'package.json'), 'utf8')
  const manifest = JSON.parse(text) as Manifest
  return Object.entries(manifest.exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []
    const source = target.types.replace('./dist/', '').replace('.d.ts', '.ts')
    return [{ name: manifest.name + path.slice(1), source }]
  })
}

export interface PublicSurface {
  /** Entry point -> the names it exports, types too. */
  readonly exports: ReadonlyMap<string, ReadonlySet<string>>
  /** Exported name -> its members: methods, properties, keys of a table. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>
}

let known: PublicSurface | undefined

/** Read once; the compiler needs a second or two. */
export function publicSurface(): PublicSurface {
  return (known ??= readSurface())
}

function readSurface(): PublicSurface {
  const entries = entryPoints()
  const files = entries.map(({ source }) => join(projectRoot, source))
  const program = ts.createProgram(files, testCompilerOptions())
  const checker = program.getTypeChecker()
  const exports = new Map<string, ReadonlySet<string>>()
  const members = new Map<string, ReadonlySet<string>>()
  for (const [index, { name }] of entries.entries()) {
    const source = program.getSourceFile(files[index]!)!
    const symbols = checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)
    exports.set(name, new Set(symbols.map((symbol) => symbol.name)))
    for (const symbol of symbols) members.set(symbol.name, membersOf(checker, symbol, source))
  }
  return { exports, members }
}

function membersOf(checker: ts.TypeChecker, symbol: ts.Symbol, source: ts.SourceFile): Set<string> {
  const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
  const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol
  const types: ts.Type[] = []
  if ((target.flags & ts.SymbolFlags.Type) !== 0)
    types.push(checker.getDeclaredTypeOfSymbol(target))
  if ((target.flags & ts.SymbolFlags.Variable) !== 0)
    types.push(checker.getTypeOfSymbolAtLocation(target, source))
  const properties = types.flatMap((type) => checker.getPropertiesOfType(type))
  return new Set(properties.map(({ name }) => name))
}
