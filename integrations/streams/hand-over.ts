/**
 * A socket out of Node's hands into the kernel's set, in one synchronous step.
 *
 * Nothing is polled by two, no byte is lost: what Node has read comes along, and what it has not
 * waits in the socket. Source: lib/net.js of Node 20 to 26; libuv's uv_close, which closes the
 * descriptor at once and sends nothing while a second one is open.
 */
import { Buffer } from 'node:buffer'
import { closeSync, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { adoptSocket, pollFds } from '../../src/index.js'
import type { AdoptOptions, Context, Host, Wsi } from '../../src/index.js'
import { checkedStream } from './checked-stream.js'

/** A host of the kernel's descriptors under Node's loop: `epollHost()` is one. */
export interface NativeHost extends Host {
  /** A second descriptor of the same socket, or -errno. */
  duplicate(fd: number): number
  /** Has Node's loop serve its set from now on, if it does not yet. */
  serveByNode(): void
}

/**
 * Hands a plain socket over.
 * @returns the connection; null where it was refused, undefined where the socket cannot be handed
 *   over (TLS, bytes on their way out, no descriptor): it is as it was in both
 * @throws as adoptSocket: UsageError for a stream that nobody can take; what a callback threw,
 *   where the socket may be taken all the same and the stream is destroyed then
 */
export function handOver(
  ctx: Context,
  native: Host,
  stream: Duplex,
  options: AdoptOptions,
): Wsi | null | undefined {
  const fd = descriptorOf(checkedStream(stream, true))
  const copy = fd === undefined ? -1 : (native as NativeHost).duplicate(fd)
  if (copy < 0) return undefined
  const read = takeAll(stream)
  let taken = false
  try {
    const head = Buffer.concat([...(options.head === undefined ? [] : [options.head]), read])
    const wsi = adoptSocket(ctx, copy, { ...options, head, host: native })
    taken = wsi !== null
    return wsi
  } catch (error) {
    // Told when the call unwinds, by which time the socket may be the context's (C29), or closed.
    taken = pollFds(ctx).some((entry) => entry.fd === copy) || !isSameSocket(copy, fd!)
    throw error
  } finally {
    if (taken) stream.on('error', () => undefined).destroy()
    else {
      closeSync(copy)
      if (read.length > 0) stream.unshift(read)
    }
  }
}

function isSameSocket(copy: number, original: number): boolean {
  try {
    return fstatSync(copy).ino === fstatSync(original).ino
  } catch {
    return false
  }
}

/** What Node has read and nobody has taken; it reads no more. */
function takeAll(stream: Duplex): Buffer {
  stream.pause()
  const pieces: Buffer[] = []
  const take = (): Buffer | null => stream.read() as Buffer | null
  for (let piece = take(); piece !== null; piece = take()) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** The descriptor behind a stream, where it is a plain socket that nothing is leaving from. */
function descriptorOf(stream: Duplex): number | undefined {
  if (!(stream instanceof Socket) || stream instanceof TLSSocket) return undefined
  if (stream.connecting || stream.writableLength > 0) return undefined
  // The one private thing that is needed of Node: without it, streams do the work.
  const { _handle: handle } = stream as unknown as { _handle?: { fd?: unknown } | null }
  const fd = handle?.fd
  return typeof fd === 'number' && fd > 2 ? fd : undefined
}

/** Can this host take sockets over? */
export function isNative(host: Host | undefined): host is NativeHost {
  return typeof (host as Partial<NativeHost> | undefined)?.duplicate === 'function'
}
