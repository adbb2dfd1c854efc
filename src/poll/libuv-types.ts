/**
 * libuv's poll bits and the errno numbers of Linux, as plain data.
 *
 * Takes the place of a package of types that does not exist. Knows no function of libuv.
 * Source: libuv's uv.h (`enum uv_poll_event`) and Linux's asm-generic/errno.h.
 */
import { checkNumber } from '../errors.js'
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from './pollfd.js'

export const UV_READABLE = 1
export const UV_WRITABLE = 2
export const UV_DISCONNECT = 4

/** The poll(2) mask for libuv's event bits; DISCONNECT becomes POLLHUP. */
export function pollEventsFromUv(uvEvents: number): number {
  checkNumber('pollEventsFromUv', 'uvEvents', uvEvents)
  return (
    (uvEvents & UV_READABLE ? POLLIN : 0) |
    (uvEvents & UV_WRITABLE ? POLLOUT : 0) |
    (uvEvents & UV_DISCONNECT ? POLLHUP : 0)
  )
}

/**
 * libuv's event bits for a poll(2) mask. POLLERR and POLLHUP arrive as a status there, so they map
 * to READABLE.
 */
export function uvEventsFromPoll(events: number): number {
  checkNumber('uvEventsFromPoll', 'events', events)
  return (
    (events & (POLLIN | POLLERR | POLLHUP) ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0)
  )
}

/** errno numbers of Linux. Results of the bytes seam are these, negated, on every platform. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  EPIPE: 32,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ELOOP: 40,
  EPROTO: 71,
  ENOTSOCK: 88,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
} as const

const names = new Map<number, string>(Object.entries(Errno).map(([name, number]) => [number, name]))

/** `ECONNRESET` for 104 or -104; `errno 250` where the number has no name here. */
export function errnoName(errno: number): string {
  checkNumber('errnoName', 'errno', errno)
  const number = Math.abs(errno)
  return names.get(number) ?? `errno ${number}`
}
