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

/** The fields are few: they are looked through one by one. */
export class FieldMap implements ReadonlyMap<string, string> {
  readonly #text: string
  readonly #places: number[] = []
  /** As a map of its own, once somebody wanted all of them. */
  #all: Map<string, string> | null = null
  /** Names that came more than once. */
  repeated: Set<string> | null = null

  constructor(text: string) {
    this.#text = text
  }

  /** Fields, repeated ones each time. */
  get count(): number {
    return this.#places.length / COLUMNS
  }

  /** One more, by where it lies in the text: its name from `start` to `colon`, then its value. */
  add(start: number, colon: number, end: number): void {
    if (this.#find(this.#text, start, colon - start, 0) !== -1)
      (this.repeated ??= new Set()).add(this.#text.slice(start, colon).toLowerCase())
    this.#places.push(start, colon, end)
  }

  get(name: string): string | undefined {
    let at = this.#named(name, 0)
    if (at === -1) return undefined
    let joined = this.#valueAt(at)
    if (this.repeated === null) return joined
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
      const name = this.#text.slice(this.#places[at], this.#places[at + COLON]).toLowerCase()
      if (!this.#all.has(name)) this.#all.set(name, this.get(name)!)
    }
    return this.#all
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
