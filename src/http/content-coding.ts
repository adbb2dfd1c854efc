/**
 * Which compressed sibling of a file a client would rather have.
 * Source: RFC 9110 12.5.3 and 12.4.2.
 */

/** A coding a file may lie beside itself in. */
export interface Coding {
  /** As Content-Encoding has it. */
  readonly name: 'br' | 'gzip'
  readonly suffix: string
}

/** Smallest first: what a client likes equally well is decided by this order. */
const CODINGS: readonly (Coding & { readonly alias?: string })[] = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz', alias: 'x-gzip' },
]

const MEMBER =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[\t ]*;[\t ]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i

/**
 * The codings to look for, best first; those that are liked less than the file as it is, or not at
 * all, are left out.
 * @param field the value of Accept-Encoding; undefined where it did not come
 */
export function acceptedCodings(field: string | undefined): readonly Coding[] {
  if (field === undefined) return []
  const weights = weightsOf(field)
  const rest = weights.get('*')
  const identity = weights.get('identity') ?? rest ?? 0
  return CODINGS.map((coding) => ({
    coding,
    weight: weights.get(coding.name) ?? weights.get(coding.alias ?? '') ?? rest ?? 0,
  }))
    .filter(({ weight }) => weight > 0 && weight >= identity)
    .sort((one, other) => other.weight - one.weight)
    .map(({ coding }) => coding)
}

/** Members that are not well-formed are left out: nobody asked for what they name. */
function weightsOf(field: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const member of field.split(',')) {
    const [, name, weight = '1'] = MEMBER.exec(member.trim()) ?? []
    if (name !== undefined) weights.set(name.toLowerCase(), Number(weight))
  }
  return weights
}
