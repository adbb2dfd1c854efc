/**
 * The pollfd, as poll(2) has it: the one thing a host hands to the library.
 *
 * Bits are poll(2)'s on Linux (`<poll.h>`), never libuv's; libuv-types.ts maps between them.
 */

import { checkNumber } from '../errors.js'

/** There is data to read, an end of file, or a connection to accept. */
export const POLLIN = 0x001
/** Writing would not block. */
export const POLLOUT = 0x004
/** An error waits on the descriptor. Only ever in `revents`: it is implied in `events`. */
export const POLLERR = 0x008
/** The peer hung up. Only ever in `revents`: it is implied in `events`. */
export const POLLHUP = 0x010
/**
 * The descriptor is not open. Only ever in `revents`; a poll(2) host that sees it has kept an fd
 * after DEL.
 */
export const POLLNVAL = 0x020

/** The bits that an announced mask may have; everything else is implied (C4). */
export const POLL_MASK = POLLIN | POLLOUT

/**
 * One descriptor's readiness.
 *
 * The library reads the three fields during the call and neither changes nor keeps the object
 * (C10), so that one object may serve a whole batch.
 */
export interface Pollfd {
  /** The descriptor, as announced by ADD_POLL_FD. */
  fd: number
  /** Readiness: POLLIN, POLLOUT, POLLERR, POLLHUP or-ed. A hint, never the truth (C5, C11). */
  revents: number
  /**
   * The generation of the fd when this readiness was observed; absent where the host keeps none.
   */
  gen?: number
}

/**
 * `POLLIN|POLLOUT` for people: used in messages, transcripts and stories. `0` for an empty mask.
 */
export function formatEvents(events: number): string {
  checkNumber('formatEvents', 'events', events)
  const names: string[] = []
  if (events & POLLIN) names.push('POLLIN')
  if (events & POLLOUT) names.push('POLLOUT')
  if (events & POLLERR) names.push('POLLERR')
  if (events & POLLHUP) names.push('POLLHUP')
  if (events & POLLNVAL) names.push('POLLNVAL')
  return names.length === 0 ? '0' : names.join('|')
}
