/** Who may connect: `authorize`, at once and later, over streams and over sockets handed over. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http from 'node:http'
import * as net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { attach, type AttachOptions } from '../integrations/node-streams.js'
import {
  type Context,
  type ContextOptions,
  defineProtocol,
  pollFds,
  type Wsi,
} from '../src/index.js'
import { connected, echoes, listening, refusal, setUp, talk } from './support/inside-server.js'
import { needsAddon } from './support/epoll-addon.js'
import { client, validRequest } from './support/wire-bytes.js'

for (const kind of ['streams', 'hand-over'] as const) {
  describe(`67 authorize, ${kind}`, () => {
    if (kind === 'hand-over') needsAddon()

    const served = async (
      authorize: AttachOptions['authorize'],
      options: Partial<ContextOptions> = {},
    ): Promise<{ url: string; port: number; ctx: Context; errors: unknown[] }> => {
      const errors: unknown[] = []
      const { ctx, how } = setUp(kind, { onError: (error) => errors.push(error), ...options })
      const server = http.createServer()
      attach(server, ctx, { ...how, ...(authorize === undefined ? {} : { authorize }) })
      const port = await listening(server)
      return { url: `ws://127.0.0.1:${port}/`, port, ctx, errors }
    }

    it('decides at once or later, by what Node knows of the request', async () => {
      for (const later of [false, true]) {
        const { url } = await served((request) => {
          const right = request.headers.authorization === 'Bearer right'
          return later ? sleep(5).then(() => right) : right
        })
        const headers = { authorization: 'Bearer right' }
        await echoes(await connected(url, [], { headers }), 'in')
        assert.equal(await refusal(url), 403)
      }
    })

    it('refuses as it says', async () => {
      const { url } = await served(() => ({
        status: 401,
        headers: { 'WWW-Authenticate': 'Bearer' },
        body: 'Log in first.\n',
      }))
      assert.equal(await refusal(url), 401)
    })

    it('fails closed, and onError hears of it', async () => {
      const broken = [
        () => Promise.reject(new Error('the token is bad')),
        () => {
          throw new Error('the token is bad')
        },
        () => undefined as never,
        () => Promise.resolve('yes' as never),
      ]
      for (const authorize of broken) {
        const { url, errors } = await served(authorize)
        assert.equal(await refusal(url), 500)
        assert.equal(errors.length, 1)
      }
    })

    it('without onError a bad token is a warning, not the end of the process', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer()
      attach(server, ctx, { ...how, authorize: () => Promise.reject(new Error('bad token')) })
      const port = await listening(server)
      const warned = once(process, 'warning')
      assert.equal(await refusal(`ws://127.0.0.1:${port}/`), 500)
      assert.equal(((await warned) as [Error])[0].message, 'bad token')
    })

    it('comes before the protocol has a say, and before there is a session', async () => {
      const order: string[] = []
      const protocol = defineProtocol({
        name: '',
        createSession: () => void order.push('session'),
        handlers: { FILTER_PROTOCOL_CONNECTION: () => void order.push('filter') },
      })
      const { url } = await served(() => (order.push('authorize'), sleep(1).then(() => true)), {
        protocols: [protocol],
      })
      await connected(url)
      assert.deepEqual(order, ['authorize', 'session', 'filter'])
    })

    it('takes no longer than handshakeTimeoutMs', async () => {
      const never = (): Promise<boolean> => new Promise(() => undefined)
      const { url } = await served(never, { handshakeTimeoutMs: 300 })
      assert.equal(await refusal(url), 503)
    })

    it('a client that is gone meanwhile is answered by nobody', async () => {
      const seen: Wsi[] = []
      let decide: (yes: boolean) => void = () => undefined
      const { port, ctx } = await served((_request, wsi) => {
        seen.push(wsi)
        return new Promise((resolve) => (decide = resolve))
      })
      const socket = net.connect(port, '127.0.0.1')
      socket.write(validRequest())
      while (seen.length === 0) await sleep(1)
      socket.destroy()
      while (pollFds(ctx).length > 0) await sleep(1)
      decide(true)
      await sleep(5)
    })

    for (const [name, delay] of [
      ['a tick', () => Promise.resolve()],
      ['10 ms', () => sleep(10)],
    ] as const)
      it(`frames glued to the request wait for it: ${name}`, async () => {
        const { port } = await served(() => delay().then(() => true))
        const frames = Array.from({ length: 20 }, (_, index) => client.text(`glued ${index}`))
        const bytes = Buffer.concat([Buffer.from(validRequest()), ...frames])
        const text = await talk(port, bytes, (all) => all.includes('glued 19'))
        assert.deepEqual(
          [...text.matchAll(/glued (\d+)/g)].map(([, index]) => Number(index)),
          frames.map((_, index) => index),
        )
      })
  })
}
