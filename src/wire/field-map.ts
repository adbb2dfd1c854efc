/**
 * The fields of one head, as a map from name to value.
 *
 * A head has more fields than anybody asks for. So this remembers where each lies, and a value
 * becomes a text of its own when somebody asks for it.
 */

const LOWER_A = 97
const LOWER_Z = 122
/** The one bit between an upper-case letter and its lower case, in ASCII. */
const CASE = 32

const COLON_BYTES = 1
const TAB = 9
const SPACE = 32

/** Of each field: where its name begins, its colon, and where its value ends, blanks included. */
const COLUMNS = 3
const COLON = 1
const END = 2

/** So few are looked through one by one; of more the names are kept as well. */
const FEW = 64

export class FieldMap implements ReadonlyMap<string, string> {
  readonly #text: string
  readonly #places: number[] = []
  /** As a map of its own, once somebody wanted all of them. */
  #all: Map<string, string> | null = null
  /** Every name, in lower case, where they are many. */
  #names: Set<string> | null = null
  #repeated: Set<string> | null = null

  constructor(text: string) {
    this.#text = text
  }

  /** Fields, repeated ones each time. */
  get count(): number {
    return this.#places.length / COLUMNS
  }

  /** One more, by where it lies in the text: its name from `start` to `colon`, then its value. */
  add(start: number, colon: number, end: number): void {
    if (this.#hasBetween(start, colon))
      (this.#repeated ??= new Set()).add(this.#nameBetween(start, colon))
    this.#places.push(start, colon, end)
    if (this.count > FEW) this.#keepNames(start, colon)
  }

  /** Names that came more than once, in lower case; null where there are none. */
  get repeated(): ReadonlySet<string> | null {
    return this.#repeated
  }

  get(name: string): string | undefined {
    let at = this.#named(name, 0)
    if (at === -1) return undefined
    let joined = this.#valueAt(at)
    if (this.#repeated === null) return joined
    while ((at = this.#named(name, at + COLUMNS)) !== -1) joined += `, ${this.#valueAt(at)}`
    return joined
  }

  has(name: string): boolean {
    return this.#named(name, 0) !== -1
  }

  get size(): number {
    return this.#whole().size
  }

  keys(): MapIterator<string> {
    return this.#whole().keys()
  }

  values(): MapIterator<string> {
    return this.#whole().values()
  }

  entries(): MapIterator<[string, string]> {
    return this.#whole().entries()
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries()
  }

  forEach(
    tell: (value: string, name: string, headers: ReadonlyMap<string, string>) => void,
    self?: unknown,
  ): void {
    for (const [name, value] of this.#whole()) tell.call(self, value, name, this)
  }

  /** What console.log shows. Source: Node's util, custom inspection functions. */
  [Symbol.for('nodejs.util.inspect.custom')](): Map<string, string> {
    return this.#whole()
  }

  #whole(): Map<string, string> {
    if (this.#all !== null) return this.#all
    this.#all = new Map()
    for (let at = 0; at < this.#places.length; at += COLUMNS) {
      const name = this.#nameBetween(this.#places[at]!, this.#places[at + COLON]!)
      const before = this.#all.get(name)
      const value = this.#valueAt(at)
      this.#all.set(name, before === undefined ? value : `${before}, ${value}`)
    }
    return this.#all
  }

  #nameBetween(start: number, colon: number): string {
    return this.#text.slice(start, colon).toLowerCase()
  }

  #hasBetween(start: number, colon: number): boolean {
    return this.#names === null
      ? this.#find(this.#text, start, colon - start, 0) !== -1
      : this.#names.has(this.#nameBetween(start, colon))
  }

  /** The one of the newest field; of all of them, the first time. */
  #keepNames(start: number, colon: number): void {
    if (this.#names !== null) {
      this.#names.add(this.#nameBetween(start, colon))
      return
    }
    this.#names = new Set()
    for (let at = 0; at < this.#places.length; at += COLUMNS)
      this.#names.add(this.#nameBetween(this.#places[at]!, this.#places[at + COLON]!))
  }

  /** Without the optional white space around it. */
  #valueAt(at: number): string {
    const text = this.#text
    let start = this.#places[at + COLON]! + COLON_BYTES
    let end = this.#places[at + END]!
    while (start < end && isBlank(text.charCodeAt(start))) start++
    while (start < end && isBlank(text.charCodeAt(end - 1))) end--
    return text.slice(start, end)
  }

  #named(name: unknown, from: number): number {
    return typeof name === 'string' ? this.#find(name, 0, name.length, from) : -1
  }

  /**
   * @param start where in `name` the name begins that is looked for, `length` characters of it
   * @returns where the next field of that name is among the places, from `from` on, or -1
   */
  #find(name: string, start: number, length: number, from: number): number {
    const places = this.#places
    for (let at = from; at < places.length; at += COLUMNS) {
      const place = places[at]!
      if (places[at + COLON]! - place === length && this.#isNamed(place, name, start, length))
        return at
    }
    return -1
  }

  #isNamed(place: number, name: string, start: number, length: number): boolean {
    const text = this.#text
    for (let index = 0; index < length; index++)
      if (!isSameLetter(text.charCodeAt(place + index), name.charCodeAt(start + index)))
        return false
    return true
  }
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

/** Alike but for the case of ASCII letters? */
function isSameLetter(one: number, other: number): boolean {
  if (one === other) return true
  const lower = one | CASE
  return (one ^ other) === CASE && lower >= LOWER_A && lower <= LOWER_Z
}
