/** One client connection of ours on a host that Node's loop serves: what came, and how it ended. */
import assert from 'node:assert/strict'
import { checked } from '../../integrations/fake-poller.js'
import { streamsHost } from '../../integrations/node-streams.js'
import {
  BINARY,
  clientConnect,
  type ClientOptions,
  close,
  type CloseInfo,
  type ConnectFailure,
  type Context,
  contextDestroy,
  createContext,
  defineProtocol,
  type Host,
  isBinary,
  TEXT,
  write,
  type Wsi,
} from '../../src/index.js'
import { checkedNodeLoop } from './checked-epoll.js'
import { watchOver } from './clean-checkers.js'

/** A host, and what proves that nothing of the test is left in it. */
interface Stage {
  readonly host: Host
  readonly end: () => void
}

/** The hosts that Node's loop serves. */
export const stages: Readonly<Record<string, () => Stage>> = {
  "epollHost({ loop: 'node' })": () => {
    const host = checkedNodeLoop()
    host.ref()
    return { host, end: () => host.poller.close() }
  },
  'streamsHost()': () => {
    const inner = streamsHost()
    const host = checked(inner)
    watchOver(host)
    return { host, end: () => assert.equal(inner.size, 0) }
  },
}

export interface Exchange {
  readonly came: readonly (string | Buffer)[]
  readonly end: CloseInfo | ConnectFailure
}

/** Sends the messages, one after the other's echo; then closes with 1000. */
export async function exchange(
  stage: keyof typeof stages,
  options: ClientOptions,
  messages: readonly (string | Buffer)[],
): Promise<Exchange> {
  const { host, end: endStage } = stages[stage]!()
  const came: (string | Buffer)[] = []
  const next = (wsi: Wsi): void => {
    const message = messages[came.length]
    if (message === undefined) close(wsi, 1000)
    else write(wsi, message, typeof message === 'string' ? TEXT : BINARY)
  }
  let ctx: Context | undefined
  try {
    const end = await new Promise<CloseInfo | ConnectFailure>((resolve, reject) => {
      const protocol = defineProtocol({
        name: options.protocol === undefined ? '' : String(options.protocol),
        handlers: {
          CLIENT_ESTABLISHED: (wsi) => next(wsi),
          CLIENT_RECEIVE(wsi, data) {
            came.push(isBinary(wsi) ? data : data.toString())
            next(wsi)
          },
          CLIENT_CONNECTION_ERROR: (_wsi, failure) => resolve(failure),
          CLOSED: (_wsi, info) => resolve(info),
        },
      })
      ctx = createContext({ host, protocols: [protocol], onError: reject })
      clientConnect(ctx, options)
    })
    return { came, end }
  } finally {
    if (ctx !== undefined) contextDestroy(ctx)
    endStage()
  }
}
