/**
 * The options of a subcommand as a table: parsed, checked and explained from the same rows.
 *
 * An option takes a value, unless its row is a flag. Knows no subcommand. Source: parseArgs of
 * node:util.
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
  /** @returns undefined for a text that is not allowed; a flag's is always '' */
  read(text: string): Value | undefined
  /** `'flag'`: it takes no value. `'operand'`: it is a value alone, without a name in front. */
  readonly form?: 'flag' | 'operand'
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
  const operand = Object.keys(table).find((name) => table[name]!.form === 'operand')
  for (const token of tokensOf(table, argv)) {
    if (token.kind === 'option' && (token.name === 'help' || token.name === 'h')) return 'help'
    if (token.kind === 'positional' && operand !== undefined)
      values[operand]!.push(readValue(operand, table[operand]!, token.value))
    else if (token.kind === 'option') {
      const row = Object.hasOwn(table, token.name) ? table[token.name] : undefined
      if (row === undefined || row.form === 'operand')
        throw new CommandError(`there is no option ${token.rawName}; ${listOf(table)}`)
      values[token.name]!.push(readValue(token.name, row, token.value))
    } else {
      const what = token.kind === 'positional' ? token.value : '--'
      throw new CommandError(`there is no place for ${what}; ${listOf(table)}`)
    }
  }
  return values as OptionValues<Table>
}

function readValue(name: string, row: OptionRow<unknown>, text: string | undefined): unknown {
  const isFlag = row.form === 'flag'
  const value = isFlag === (text === undefined) ? row.read(text ?? '') : undefined
  if (value === undefined) throw new CommandError(refusal(name, row, text))
  return value
}

/** The options' lines of a help page. */
export function optionHelp(table: OptionTable): string[] {
  const rows = Object.entries(table).map(([name, row]) => [`  ${usageOf(name, row)}`, row.about])
  rows.push(['  --help', 'show this and end'])
  const width = Math.max(...rows.map(([left]) => left!.length))
  return rows.map(([left, right]) => `${left!.padEnd(width)}   ${right!}`)
}

function usageOf(name: string, { placeholder, form }: OptionRow<unknown>): string {
  if (form === 'operand') return placeholder
  return form === 'flag' ? `--${name}` : `--${name} ${placeholder}`
}

/** Given or not. */
export function flag(about: string) {
  return {
    placeholder: '',
    about,
    allowed: 'given without a value',
    read: () => true,
    form: 'flag',
  } as const
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
    Object.entries(table).map(([name, { form }]) => [
      name,
      { type: form === 'flag' ? ('boolean' as const) : ('string' as const) },
    ]),
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
  const options = Object.keys(table).filter((name) => table[name]!.form !== 'operand')
  const names = options.map((name) => `--${name}`)
  return `there is ${names.join(', ')} and --help`
}

function refusal(name: string, row: OptionRow<unknown>, text: string | undefined): string {
  const got = text === undefined ? '' : `, not ${text.slice(0, 80)}`
  return `${row.form === 'operand' ? row.placeholder : `--${name}`} must be ${row.allowed}${got}`
}
