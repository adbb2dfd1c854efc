/**
 * Giving up root for good: supplementary groups, group, user, in that order, then the proof.
 *
 * Process-wide, and so for the main thread only. Source: setuid(2), setgroups(2); the order is the
 * only one that works, since changing the user takes away the right to change the rest.
 */
import { isMainThread } from 'node:worker_threads'
import { UsageError } from '../../src/index.js'
import { readFields } from './arguments.js'

/**
 * @throws UsageError ERR_EXTPOLL_PRIVILEGES in a worker, or where the system refuses, or where the
 *   old rights could still be had back
 */
export function dropPrivileges(ids: { readonly gid?: number; readonly uid?: number }): void {
  if (!isMainThread || process.setgroups === undefined) {
    refuse('gid and uid can be changed in the main thread of a POSIX process only')
  }
  const { gid, uid } = readFields('dropPrivileges', 'ids', ids, ({ ...given }) => given)
  if (gid === undefined) refuse('uid without gid would keep the group: give both')
  try {
    if (gid !== undefined) {
      process.setgroups([gid])
      process.setgid?.(gid)
    }
    if (uid !== undefined) process.setuid?.(uid)
  } catch (error) {
    refuse(`the system refused: ${error instanceof Error ? error.message : String(error)}`)
  }
  verify(ids)
}

/** Reads back, and tries to return: a saved id would let an exploit do the same. */
function verify({ gid, uid }: { readonly gid?: number; readonly uid?: number }): void {
  const asked = gid !== undefined ? [gid, gid] : [process.getgid?.(), process.getegid?.()]
  if (process.getgid?.() !== asked[0] || process.getegid?.() !== asked[1])
    refuse('gid did not change')
  if (uid === undefined) return
  if (process.getuid?.() !== uid || process.geteuid?.() !== uid) refuse('uid did not change')
  if (uid !== 0 && regains(() => process.setuid?.(0))) refuse('uid 0 could be had back')
  if (uid !== 0 && gid !== undefined && gid !== 0 && regains(() => process.setgid?.(0))) {
    refuse('gid 0 could be had back')
  }
}

function regains(attempt: () => void): boolean {
  try {
    attempt()
    return true
  } catch {
    return false
  }
}

function refuse(why: string): never {
  throw new UsageError('ERR_EXTPOLL_PRIVILEGES', `gid and uid: ${why}`)
}
