/** Which streams can be taken over; the others are refused before anything was done to them. */
import type { Duplex } from 'node:stream'
import { UsageError } from '../../src/index.js'
import { ownerOf } from './stream-socket.js'

/**
 * @param begun bytes were read of it before, and its adopter has them
 * @throws UsageError ERR_EXTPOLL_STREAM with what is wrong with it
 */
export function checkedStream(stream: number | object, begun: boolean): Duplex {
  const refuse = (why: string): never => {
    throw new UsageError('ERR_EXTPOLL_STREAM', `this stream cannot be adopted: ${why}`)
  }
  if (typeof stream === 'number')
    return refuse('a descriptor is for a host of the kernel, epollHost() or rawHost()')
  const duplex = stream as Duplex
  const { on, write, resume, pause } = duplex as Partial<Duplex>
  if ([on, write, resume, pause].some((method) => typeof method !== 'function'))
    refuse('it is no Duplex')
  if (ownerOf(duplex) !== undefined) refuse('it is adopted already')
  if (isOver(duplex)) refuse('it is destroyed, or one of its sides has ended')
  if (duplex.readableObjectMode || duplex.writableObjectMode)
    refuse('it is in object mode, and carries no bytes')
  if (duplex.readableEncoding !== null) refuse('setEncoding() made its bytes text')
  if (duplex.listenerCount('data') > 0 || duplex.listenerCount('readable') > 0)
    refuse("somebody reads from it: remove the listeners of 'data' and 'readable' first")
  if (duplex.readableDidRead && !begun)
    refuse('it was read from: give what was read as head, an empty one where that was not for us')
  return duplex
}

/** Its peer is gone, or half of it: nothing can be begun on it. */
export function isOver(stream: Duplex): boolean {
  return stream.destroyed || !stream.readable || !stream.writable
}
