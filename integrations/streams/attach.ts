/**
 * A context inside a server that is there already: of http, https, http2, net or tls.
 *
 * One listener for each server, however many contexts. What is none of ours is left to the other
 * listeners of 'upgrade'; where there is none, the request is served as if nobody had asked for an
 * upgrade, which is what Node does without us. Source: node:http, node:net.
 */
import { Buffer } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import * as http from 'node:http'
import * as https from 'node:https'
import type { Server } from 'node:net'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { adoptSocket, isDestroyed, UsageError } from '../../src/index.js'
import { handOver } from './hand-over.js'
import { ownerOf } from './stream-socket.js'
import { takeUpgrade, type UpgradeTarget, writeHead } from './upgrade.js'

/** What a server's requests are claimed by. */
export interface Claim extends UpgradeTarget {
  readonly path: string | undefined
  readonly subprotocols: readonly string[] | undefined
}

type Listener = (...args: unknown[]) => void

const routers = new WeakMap<Server, Router>()

/** Takes part in a server. @returns undoes it */
export function join(server: Server, claim: Claim): () => void {
  const router = routers.get(server) ?? new Router(server)
  routers.set(server, router)
  return router.join(claim)
}

/** Does the server understand requests, or only connections? */
export function isHttpServer(server: Server): boolean {
  // http2's servers speak HTTP/1.1 as well, where `allowHTTP1` says so.
  return (
    server instanceof http.Server || server instanceof https.Server || 'updateSettings' in server
  )
}

class Router {
  readonly #server: Server
  readonly #claims: Claim[] = []
  readonly #event: 'upgrade' | 'connection' | 'secureConnection'
  readonly #listener: Listener

  constructor(server: Server) {
    this.#server = server
    if (isHttpServer(server)) {
      this.#event = 'upgrade'
      this.#listener = (...args) => this.#upgrade(...(args as [IncomingMessage, Duplex, Buffer]))
    } else {
      this.#event = server instanceof tls.Server ? 'secureConnection' : 'connection'
      this.#listener = (stream) => this.#connection(stream as Duplex)
    }
  }

  join(claim: Claim): () => void {
    const clash = this.#claims.some(
      (other) =>
        other.path === claim.path &&
        String(other.subprotocols ?? []) === String(claim.subprotocols ?? []),
    )
    if (clash)
      throw new UsageError(
        'ERR_EXTPOLL_ATTACHED',
        `attach(): the server has a context at ${claim.path ?? 'every path'} already; ` +
          'detach that, or give another path or other subprotocols',
      )
    if (this.#claims.length === 0) this.#server.on(this.#event, this.#listener)
    this.#claims.push(claim)
    return () => {
      const at = this.#claims.indexOf(claim)
      if (at >= 0) this.#claims.splice(at, 1)
      if (this.#claims.length === 0) this.#server.off(this.#event, this.#listener)
    }
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    // The peer is gone, or another listener has the stream by now.
    if (stream.destroyed || ownerOf(stream) !== undefined) return
    if (stream.listenerCount('data') > 0) return
    const claim = this.#claims.find((one) => claims(one, request))
    if (claim !== undefined) orDestroy(stream, () => takeUpgrade(claim, request, stream, head))
    else if (this.#server.listenerCount('upgrade') === 1)
      this.#serveAsRequest(request, stream, head)
  }

  /** Injects the connection into the server anew, its request without the wish to upgrade. */
  #serveAsRequest(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const plain = writeHead(request, (name) => name !== 'upgrade' && name !== 'connection')
    stream.unshift(Buffer.concat([plain, head]))
    const secure = this.#server instanceof tls.Server
    this.#server.emit(secure ? 'secureConnection' : 'connection', stream)
  }

  #connection(stream: Duplex): void {
    const claim = this.#claims[0]
    if (claim === undefined || stream.destroyed || isDestroyed(claim.ctx)) return
    const { ctx, native, streams } = claim
    orDestroy(stream, () => {
      const handed = native === undefined ? undefined : handOver(ctx, native, stream, {})
      const wsi = handed === undefined ? adoptSocket(ctx, stream, { host: streams }) : handed
      if (wsi === null) stream.on('error', () => undefined).destroy()
    })
  }
}

/**
 * What goes wrong with one connection costs that one, and never the server it came by.
 * @throws what a callback threw where no `onError` took it: the stream is taken all the same
 */
function orDestroy(stream: Duplex, take: () => unknown): void {
  try {
    take()
  } catch (error) {
    if (stream.destroyed || ownerOf(stream) !== undefined) throw error
    stream.on('error', () => undefined).destroy()
    process.emitWarning(error as Error)
  }
}

function claims(
  { ctx, path, subprotocols }: Claim,
  { url = '', headers }: IncomingMessage,
): boolean {
  if (isDestroyed(ctx)) return false
  if (!listOf(headers.upgrade).includes('websocket')) return false
  if (path !== undefined && pathOf(url) !== path) return false
  if (subprotocols === undefined) return true
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  return subprotocols.some((name) => offered.includes(name))
}

function listOf(value: string | undefined): string[] {
  return (value ?? '').split(',').map((member) => member.trim().toLowerCase())
}

/** The path of a request target in origin-form or absolute-form (RFC 9112 3.2). */
function pathOf(target: string): string {
  const origin = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '')
  const path = origin.split(/[?#]/, 1)[0]!
  return path === '' ? '/' : path
}
