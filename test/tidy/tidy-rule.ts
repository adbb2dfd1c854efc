/**
 * What a tidy rule is: a pure function from the project's files to findings, and the samples that
 * prove it can fail. Knows no file system.
 */
export interface ProjectFile {
  /** From the root of the project, with forward slashes: `src/wire/opcode.ts`. */
  readonly path: string
  readonly text: string
}

export interface Finding {
  readonly path: string
  /** From 1; absent where the finding is about the file or the tree as a whole. */
  readonly line?: number
  readonly message: string
}

/** A tree that the rule must refuse, or must accept. */
export interface Sample {
  readonly why: string
  readonly files: readonly ProjectFile[]
}

export interface TidyRule {
  /** Completes "the tree: ...". */
  readonly name: string
  check(files: readonly ProjectFile[]): Finding[]
  /** Each gets at least one finding. */
  readonly refuses: readonly Sample[]
  /** Each gets none: what looks like a breach and is not. */
  readonly accepts: readonly Sample[]
}

/** A sample of one file. */
export function sample(why: string, path: string, ...lines: string[]): Sample {
  return { why, files: [{ path, text: lines.join('\n') + '\n' }] }
}

export function formatFinding({ path, line, message }: Finding): string {
  return `${path}${line === undefined ? '' : `:${line}`}: ${message}`
}
