/**
 * A folder on disk, served by the library on real sockets in this process, and requests to it.
 */
import assert from 'node:assert/strict'
import { Agent, request as httpRequest } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http'
import { createContext, defineProtocol, getListenAddress } from '../../src/index.js'
import { pathOfTarget, serveHttpFile } from '../../src/index.js'
import type { CloseInfo, ContextOptions, HttpResult, ServeFileOptions } from '../../src/index.js'
import { checkedNodeLoop, endHost } from './checked-epoll.js'

export interface ServedFolder {
  readonly port: number
  readonly results: HttpResult[]
  readonly ends: CloseInfo[]
  /** Nothing may be left open. */
  readonly stop: () => void
}

export function serveFolder(
  options: ServeFileOptions,
  context: Partial<ContextOptions> = {},
): ServedFolder {
  const results: HttpResult[] = []
  const ends: CloseInfo[] = []
  const host = checkedNodeLoop()
  const files = defineProtocol({
    name: '',
    handlers: {
      HTTP: (wsi, { target }) => void serveHttpFile(wsi, pathOfTarget(target), undefined, options),
      HTTP_COMPLETE: (_wsi, result) => void results.push(result),
      HTTP_CLOSED: (_wsi, info) => void ends.push(info),
    },
  })
  const ctx = createContext({ host, port: 0, protocols: [files], ...context })
  const { port } = getListenAddress(ctx)!
  return { port, results, ends, stop: () => endHost(host, ctx) }
}

export interface Fetched {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

/** One request over a kept connection of Node's own client; the path goes out as it is. */
export function fetchFrom(
  port: number,
  path: string,
  headers: OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', path, headers, method, agent })
    request.on('error', reject)
    request.on('response', (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () => {
        assert.ok(response.complete, 'the answer is whole')
        const headers = response.headers as Fetched['headers']
        resolve({ status: response.statusCode!, headers, body: Buffer.concat(pieces) })
      })
    })
    request.end()
  })
}

/** Kept connections of `fetchFrom` go. */
export function dropKept(): void {
  agent.destroy()
}
