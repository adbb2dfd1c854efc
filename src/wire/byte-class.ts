/** Classes of bytes in HTTP's grammar, as one table. Source: RFC 9110 5.6.2 and 5.5, RFC 3986 2. */

/** What a method or a field's name is made of. */
export const TOKEN = 1
/** What a request target is made of, as far as a head's parser looks: printable ASCII. */
export const VISIBLE = 2
/** What a field's value is made of, blanks included. */
export const FIELD_TEXT = 4
/** The digits of base64. */
export const BASE64 = 8

const BYTE_VALUES = 256
const DEL = 0x7f

const classes = new Uint8Array(BYTE_VALUES)
for (let byte = 0; byte < BYTE_VALUES; byte++) {
  const character = String.fromCharCode(byte)
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character)) classes[byte]! |= TOKEN
  if (/[\x21-\x7e]/.test(character)) classes[byte]! |= VISIBLE
  if (/[\t\x20-\xff]/.test(character) && byte !== DEL) classes[byte]! |= FIELD_TEXT
  if (/[A-Za-z0-9+/]/.test(character)) classes[byte]! |= BASE64
}

/** Is this byte one of the class? False for what is no byte. */
export function isOf(kind: number, byte: number): boolean {
  return (classes[byte]! & kind) !== 0
}

/** @returns where bytes of the class, from `at` on, end */
export function endOf(kind: number, bytes: Uint8Array, at: number, end: number): number {
  while (at < end && (classes[bytes[at]!]! & kind) !== 0) at++
  return at
}
