/**
 * The options of a subcommand as a table: parsed, checked and explained from the same rows.
 *
 * Every option takes a value. Knows no subcommand. Source: parseArgs of node:util.
 */
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { CommandError } from './command.js'

/** One option. */
export interface OptionRow<Value> {
  /** Stands for the value in the help: PORT. */
  readonly placeholder: string
  /** What it is for, and its default. */
  readonly about: string
  /** What is allowed, to follow `must be`. */
  readonly allowed: string
  /** @returns undefined for a text that is not allowed */
  read(text: string): Value | undefined
}

/** By name, without the dashes. */
export type OptionTable = Readonly<Record<string, OptionRow<unknown>>>

/** The values of each option in the order given; none where it was not. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionRow<infer Value> ? Value[] : never
}

/**
 * @returns the values, or `'help'` where `--help` or `-h` is among them
 * @throws CommandError with one line that says what is allowed
 */
export function parseOptions<Table extends OptionTable>(
  table: Table,
  argv: readonly string[],
): OptionValues<Table> | 'help' {
  const values = Object.fromEntries(Object.keys(table).map((name) => [name, [] as unknown[]]))
  for (const token of tokensOf(table, argv)) {
    if (token.kind !== 'option') {
      const what = token.kind === 'positional' ? token.value : '--'
      throw new CommandError(`there is no place for ${what}; ${listOf(table)}`)
    }
    if (token.name === 'help' || token.name === 'h') return 'help'
    const row = Object.hasOwn(table, token.name) ? table[token.name] : undefined
    if (row === undefined)
      throw new CommandError(`there is no option ${token.rawName}; ${listOf(table)}`)
    const value = token.value === undefined ? undefined : row.read(token.value)
    if (value === undefined) throw new CommandError(refusal(token.name, row, token.value))
    values[token.name]?.push(value)
  }
  return values as OptionValues<Table>
}

/** The options' lines of a help page. */
export function optionHelp(table: OptionTable): string[] {
  const rows = Object.entries(table).map(([name, { placeholder, about }]) => [
    `  --${name} ${placeholder}`,
    about,
  ])
  rows.push(['  --help', 'show this and end'])
  const width = Math.max(...rows.map(([left]) => left!.length))
  return rows.map(([left, right]) => `${left!.padEnd(width)}   ${right!}`)
}

/** A whole number in decimal. */
export function wholeNumber(placeholder: string, about: string, min: number, max: number) {
  return {
    placeholder,
    about,
    allowed: `a whole number from ${min} to ${max}`,
    read(text: string): number | undefined {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
      return value >= min && value <= max ? value : undefined
    },
  }
}

/** An address of this machine; names are not asked for. */
export function ipAddress(placeholder: string, about: string) {
  return {
    placeholder,
    about,
    allowed: 'an IPv4 or IPv6 address in text, 127.0.0.1 or ::1 for instance',
    read: (text: string): string | undefined => (isIP(text) === 0 ? undefined : text),
  }
}

/** One of a few words. */
export function oneOf<Word extends string>(
  placeholder: string,
  about: string,
  words: readonly Word[],
) {
  return {
    placeholder,
    about,
    allowed: words.join(' or '),
    read: (text: string): Word | undefined => words.find((word) => word === text),
  }
}

/** Loosely, so that what is wrong is told in our words and by our table. */
function tokensOf(table: OptionTable, argv: readonly string[]) {
  const options = Object.fromEntries(
    Object.keys(table).map((name) => [name, { type: 'string' as const }]),
  )
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  return tokens
}

function listOf(table: OptionTable): string {
  const names = Object.keys(table).map((name) => `--${name}`)
  return `there is ${names.join(', ')} and --help`
}

function refusal(name: string, row: OptionRow<unknown>, text: string | undefined): string {
  const got = text === undefined ? '' : `, not ${text.slice(0, 80)}`
  return `--${name} must be ${row.allowed}${got}`
}
