/** WebSockets inside a server: what the tests of attach have in common. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type * as http from 'node:http'
import * as net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { epollHost } from '../../integrations/epoll.js'
import { checked } from '../../integrations/fake-poller.js'
import { type AttachOptions, streamsHost } from '../../integrations/node-streams.js'
import {
  BINARY,
  type Context,
  contextDestroy,
  type ContextOptions,
  createContext,
  defineProtocol,
  isBinary,
  type ProtocolOptions,
  TEXT,
  write,
} from '../../src/index.js'
import { watchOver } from './clean-checkers.js'
import { afterEveryTest } from './every-test.js'

type Handlers = ProtocolOptions<undefined>['handlers']

/** What a test leaves open is closed when it ends. */
export const open: (() => unknown)[] = []
afterEveryTest(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

export function echo(handlers: Handlers = {}, name = ''): ContextOptions['protocols'][number] {
  return defineProtocol({
    name,
    handlers: {
      RECEIVE: (wsi, data) => void write(wsi, data, isBinary(wsi) ? BINARY : TEXT),
      ...handlers,
    },
  })
}

export async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(async () => {
    if (!server.listening) return
    server.close()
    if ('closeAllConnections' in server) (server as unknown as http.Server).closeAllConnections()
    await once(server, 'close')
  })
  return (server.address() as net.AddressInfo).port
}

/** All that a socket says until its end, or until `enough`. */
export async function talk(
  port: number,
  bytes: string | Uint8Array,
  enough: (text: string) => boolean = () => false,
): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (data: string) => (text += data))
  socket.on('error', () => undefined)
  socket.write(bytes)
  while (!socket.destroyed && !enough(text)) await sleep(2)
  socket.destroy()
  return text
}

export async function connected(
  url: string,
  protocols: string[] = [],
  options = {},
): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols, options)
  await once(socket, 'open')
  open.push(() => socket.terminate())
  return socket
}

export async function echoes(socket: WebSocket, text: string): Promise<void> {
  socket.send(text)
  const [data] = (await once(socket, 'message')) as [Buffer]
  assert.equal(data.toString(), text)
}

export async function refusal(url: string, options = {}): Promise<number | undefined> {
  const socket = new WebSocket(url, options)
  socket.on('error', () => undefined)
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    http.IncomingMessage,
  ]
  response.resume()
  return response.statusCode
}

/** How sockets get into the context. */
export type Kind = 'streams' | 'hand-over'

/** A context under the checker, and what attach takes to get sockets into it this way. */
export function setUp(
  kind: Kind,
  options: Partial<ContextOptions> = {},
): { ctx: Context; how: AttachOptions } {
  const checker = checked(streamsHost())
  watchOver(checker)
  const ctx = createContext({ protocols: [echo()], ...options, host: checker })
  open.push(() => contextDestroy(ctx))
  if (kind === 'streams') return { ctx, how: {} }
  const native = epollHost()
  open.push(() => native.poller.close())
  return { ctx, how: { native: checker.guest(native) } }
}
