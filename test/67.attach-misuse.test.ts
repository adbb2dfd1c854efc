/** Attached wrongly, streams that cannot be taken, peers that are gone: the server goes on. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import * as net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Duplex } from 'node:stream'
import { attach, handleUpgrade } from '../integrations/node-streams.js'
import { batch, contextDestroy, hangup, isDestroyed, pollFds, type Wsi } from '../src/index.js'
import { certificate } from './support/certificate.js'
import { connected, echo, echoes, listening, open, setUp } from './support/inside-server.js'
import { needsAddon } from './support/epoll-addon.js'
import { client, validRequest } from './support/wire-bytes.js'

type Upgrade = [http.IncomingMessage, Duplex, Buffer]

for (const kind of ['streams', 'hand-over'] as const) {
  describe(`67 attach misused, ${kind}`, () => {
    if (kind === 'hand-over') needsAddon()

    /** What a peer's request gives to an upgrade listener. */
    async function upgrade(port: number, server: http.Server): Promise<[net.Socket, Upgrade]> {
      const far = net.connect(port, '127.0.0.1')
      far.on('error', () => undefined)
      far.write(Buffer.concat([Buffer.from(validRequest()), client.text('glued')]))
      const args = (await once(server, 'upgrade')) as Upgrade
      for (const socket of [far, args[1]]) open.push(() => socket.destroy())
      return [far, args]
    }

    it('a stream that somebody reads, or that is ours already, is a UsageError', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer()
      const port = await listening(server)
      const spoil: ((stream: Duplex, args: Upgrade) => unknown)[] = [
        (stream) => stream.on('data', () => undefined),
        (stream) => stream.on('readable', () => undefined),
        (_stream, args) => handleUpgrade(setUp('streams').ctx, ...args),
      ]
      for (const spoilIt of spoil) {
        const [far, args] = await upgrade(port, server)
        spoilIt(args[1], args)
        assert.throws(() => handleUpgrade(ctx, ...args, how), { code: 'ERR_EXTPOLL_STREAM' })
        assert.equal(args[1].destroyed, false, 'it is as it was')
        assert.equal(pollFds(ctx).length, 0)
        far.destroy()
        args[1].destroy()
      }
    })

    it('a peer that is gone by the time it is taken is nobody, and no error', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer()
      const [far, args] = await upgrade(await listening(server), server)
      args[1].on('error', () => undefined)
      far.resetAndDestroy()
      while (!args[1].destroyed) await sleep(1)
      assert.equal(handleUpgrade(ctx, ...args, how), null)
      assert.equal(pollFds(ctx).length, 0)
    })

    it('what another connection’s callback throws meanwhile does not undo it', async () => {
      const wsis: Wsi[] = []
      let ends = 0
      const CLOSED = (): void => {
        if (++ends === 2) throw new Error('CLOSED threw')
      }
      const protocol = echo({ ESTABLISHED: (wsi) => void wsis.push(wsi), CLOSED })
      const { ctx, how } = setUp(kind, { protocols: [protocol], endBudget: 1 })
      const server = http.createServer()
      const port = await listening(server)
      for (const count of [1, 2]) {
        const [, args] = await upgrade(port, server)
        handleUpgrade(ctx, ...args, how)
        while (wsis.length < count) await sleep(1)
      }
      const [far, args] = await upgrade(port, server)
      // The budget leaves the second end to whatever call comes next.
      batch(ctx, () => {
        for (const wsi of wsis) hangup(wsi)
      })
      assert.throws(() => handleUpgrade(ctx, ...args, how), /CLOSED threw/)
      const [answer] = (await once(far, 'data')) as [Buffer]
      assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 [^]*glued$/)
      assert.equal(pollFds(ctx).length, 1)
      far.destroy()
      while (pollFds(ctx).length > 0) await sleep(1)
    })

    it('a network filter that destroys the context and throws leaves nothing open', async () => {
      const FILTER_NETWORK_CONNECTION = (): never => {
        contextDestroy(ctx)
        throw new Error('the filter threw')
      }
      const { ctx, how } = setUp(kind, { protocols: [echo({ FILTER_NETWORK_CONNECTION })] })
      const server = http.createServer()
      const [far, args] = await upgrade(await listening(server), server)
      assert.throws(() => handleUpgrade(ctx, ...args, how), /the filter threw/)
      args[1].on('error', () => undefined).destroy()
      while (!far.destroyed) await sleep(1)
    })

    it('one context twice in a server ends with it, one of the two detached before', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer()
      const first = attach(server, ctx, { ...how, path: '/1' })
      attach(server, ctx, { ...how, path: '/2' })
      const port = await listening(server)
      first.detach()
      const socket = await connected(`ws://127.0.0.1:${port}/2`)
      const told = once(socket, 'close') as Promise<[number]>
      server.close()
      assert.equal(server.listenerCount('upgrade'), 0, 'nobody new comes')
      assert.equal((await told)[0], 1001)
      while (!isDestroyed(ctx)) await sleep(1)
    })

    it('a context in two servers ends with the last of them', async () => {
      const { ctx, how } = setUp(kind)
      const servers = [http.createServer(), http.createServer()] as const
      for (const server of servers) attach(server, ctx, how)
      const ports = [await listening(servers[0]), await listening(servers[1])] as const
      servers[0].close()
      await echoes(await connected(`ws://127.0.0.1:${ports[1]}/`), 'on')
      assert.equal(isDestroyed(ctx), false)
      servers[1].close()
      while (!isDestroyed(ctx)) await sleep(1)
    })

    it('an http2 server that takes HTTP/1.1 as well is served over TLS', async () => {
      const { ctx, how } = setUp(kind)
      const server = http2.createSecureServer({ ...certificate(), allowHTTP1: true })
      attach(server, ctx, { ...how, path: '/ws' })
      const port = await listening(server)
      const ca = certificate().cert
      await echoes(await connected(`wss://127.0.0.1:${port}/ws`, [], { ca }), 'over TLS')
    })

    it('options that cannot be right are refused before anything is attached', () => {
      const { ctx } = setUp(kind)
      const server = http.createServer()
      const noServer = {} as unknown as net.Server
      const wrong: Record<string, unknown>[] = [
        { path: 'ws' },
        { path: '/ws?x' },
        { subprotocols: [] },
        { closeWith: 'nobody' },
        { graceMs: 0 },
        { graceMs: 1.5 },
        { authorize: true },
        { native: {} },
      ]
      for (const options of wrong)
        assert.throws(() => attach(server, ctx, options), {
          code: 'ERR_EXTPOLL_ATTACH',
        })
      assert.throws(() => attach(noServer, ctx), {
        code: 'ERR_EXTPOLL_ATTACH',
      })
      assert.throws(() => attach(net.createServer(), ctx, { path: '/ws' }), {
        code: 'ERR_EXTPOLL_ATTACH',
      })
      contextDestroy(ctx)
      assert.throws(() => attach(server, ctx), { code: 'ERR_EXTPOLL_CONTEXT_DESTROYED' })
      assert.equal(server.listenerCount('upgrade'), 0)
    })
  })
}
