/**
 * What a mutant is: one mistake in the sources, as text to find and text to put there.
 *
 * The sources know nothing of it; it is applied to a copy.
 */

export interface Mutant {
  readonly name: string
  /** From the root of the project. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  /** What goes wrong then, in a sentence. */
  readonly breaks: string
  /** What it brings back of the museum (M1 to M20), or of the faults of 2011 (F1 to F12). */
  readonly exhibit?: string
  /** A kind of fault that never acts any more: no seed fails, and the gate tells (M18). */
  readonly gate?: string
}

/** Why a mutant cannot be applied to this text; undefined where it can. */
export function misfit({ name, file, find, replace }: Mutant, text: string): string | undefined {
  const count = text.split(find).length - 1
  if (count !== 1)
    return `mutant ${name}: its text is in ${file} ${count} times, not once; mend the row`
  return find === replace ? `mutant ${name}: it changes nothing` : undefined
}

/** @throws Error where it does not fit */
export function mutate(mutant: Mutant, text: string): string {
  const reason = misfit(mutant, text)
  if (reason !== undefined) throw new Error(reason)
  return text.replace(mutant.find, () => mutant.replace)
}
