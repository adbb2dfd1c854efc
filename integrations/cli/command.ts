/** What a subcommand is, and how it refuses its options. Knows none of them. */

/** A row of the table in extpoll.ts. */
export interface Command {
  /** One line for `extpoll --help`. */
  readonly summary: string
  /**
   * @param argv what follows the command's name
   * @returns the exit status
   * @throws CommandError for a wrong option; UsageError for what the machine refuses
   */
  run(argv: readonly string[]): Promise<number> | number
}

/** A wrong option. Its message is one line that says what is allowed. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}
