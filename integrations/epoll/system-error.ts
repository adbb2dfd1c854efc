/**
 * A system call's refusal as an Error, for the few functions that throw and do not answer values.
 *
 * Knows no call. Its shape is that of Node's own system errors.
 */
import { getSystemErrorName } from 'node:util'

/** `code` is the name (`ENOSPC`), `errno` the negative number, `syscall` what refused. */
export function systemError(syscall: string, errno: number, about: string): Error {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`${syscall} ${code}: ${about}`), { code, errno, syscall })
}
