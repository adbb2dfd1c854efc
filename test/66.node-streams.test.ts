/** Streams as descriptors: back-pressure both ways, what they are refused for, how they end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as net from 'node:net'
import { Duplex, PassThrough } from 'node:stream'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { checked } from '../integrations/fake-poller.js'
import { streamsHost } from '../integrations/node-streams.js'
import {
  adoptSocket,
  BINARY,
  callbackOnWritable,
  type CloseInfo,
  type Context,
  contextDestroy,
  type ContextOptions,
  createContext,
  defineProtocol,
  getBufferedBytes,
  getListenAddress,
  getPeerAddresses,
  getSocketFd,
  hangup,
  pollFds,
  rxFlowControl,
  TEXT,
  write,
  type Wsi,
} from '../src/index.js'
import { watchOver } from './support/clean-checkers.js'
import { streamPair } from './support/stream-pair.js'
import { client, server } from './support/wire-bytes.js'

const MIB = 2 ** 20

interface Stage {
  readonly ctx: Context
  readonly wsis: Wsi[]
  readonly received: Buffer[]
  readonly ends: CloseInfo[]
}

const contexts: Context[] = []
afterEach(() => {
  for (const ctx of contexts.splice(0)) contextDestroy(ctx)
})

function stage(options: Partial<ContextOptions> = {}): Stage {
  const checker = checked(streamsHost())
  watchOver(checker)
  const wsis: Wsi[] = []
  const received: Buffer[] = []
  const ends: CloseInfo[] = []
  const protocol = defineProtocol({
    name: '',
    onFull: 'report',
    handlers: {
      ESTABLISHED: (wsi) => void wsis.push(wsi),
      RECEIVE: (_wsi, data) => void received.push(data),
      CLOSED: (_wsi, info) => void ends.push(info),
    },
  })
  const ctx = createContext({ protocols: [protocol], ...options, host: checker })
  contexts.push(ctx)
  return { ctx, wsis, received, ends }
}

async function until(done: () => boolean): Promise<void> {
  const latestMs = performance.now() + 5_000
  while (!done()) {
    assert.ok(performance.now() < latestMs, 'it never came')
    await sleep(1)
  }
}

/** A TCP connection of the context, established, and the near and far socket. */
async function overTcp({
  ctx,
  wsis,
}: Stage): Promise<{ wsi: Wsi; near: net.Socket; far: net.Socket }> {
  const listener = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as net.AddressInfo
  const far = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [near] = (await once(listener, 'connection')) as [net.Socket]
  listener.close()
  adoptSocket(ctx, near, { established: true })
  return { wsi: wsis.at(-1)!, near, far }
}

describe('66 node-streams', () => {
  it('descriptors count up from 2^30, and no number comes twice', async () => {
    const { ctx, wsis } = stage()
    const seen = new Set<number>()
    for (let count = 0; count < 50; count++) {
      const [near, far] = streamPair()
      adoptSocket(ctx, near, { established: true })
      const fd = getSocketFd(wsis.at(-1)!)
      assert.ok(fd >= 2 ** 30 && !seen.has(fd))
      seen.add(fd)
      far.destroy()
      await until(() => pollFds(ctx).length === 0)
    }
  })

  it('C28: a socket that is refused is as it was', async () => {
    const { ctx } = stage({ maxConnections: 1 })
    adoptSocket(ctx, streamPair()[0], { established: true })
    const listener = net.createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const far = net.connect((listener.address() as net.AddressInfo).port, '127.0.0.1')
    const [near] = (await once(listener, 'connection')) as [net.Socket]
    listener.close()
    near.setTimeout(60_000)
    assert.equal(adoptSocket(ctx, near), null)
    assert.deepEqual([near.allowHalfOpen, near.timeout], [false, 60_000])
    far.end()
    near.resume()
    await once(near, 'close')
  })

  it('a paused connection reads nothing beyond the high-water mark', async () => {
    const scene = stage()
    const { wsi, near, far } = await overTcp(scene)
    far.write(client.text('first'))
    await until(() => scene.received.length === 1)
    rxFlowControl(wsi, 0)
    const readBefore = near.bytesRead
    const frame = client.binary(Buffer.alloc(65_000))
    for (let count = 0; count < 200; count++) far.write(frame)
    await sleep(60)
    const mark = near.readableHighWaterMark
    // One chunk more than the mark, in ours and in the stream's own buffer: 64 KiB at most each.
    assert.ok(near.bytesRead - readBefore <= 2 * (mark + 65_536), `${near.bytesRead - readBefore}`)
    assert.equal(scene.received.length, 1)
    rxFlowControl(wsi, 1)
    await until(() => scene.received.length === 201)
    far.destroy()
    await until(() => scene.ends.length === 1)
  })

  it('a peer that never reads bounds memory: the queue, the stream, and no more', async () => {
    const scene = stage({ maxBufferedBytes: MIB })
    const { wsi, near, far } = await overTcp(scene)
    far.pause()
    const message = Buffer.alloc(100_000)
    let answer = 'ok'
    for (let count = 0; count < 500 && answer !== 'full'; count++) {
      answer = write(wsi, message, BINARY)
      await turn()
    }
    assert.equal(answer, 'full')
    assert.ok(getBufferedBytes(wsi) <= MIB)
    assert.ok(near.writableLength <= near.writableHighWaterMark, `${near.writableLength}`)
    hangup(wsi)
    await until(() => near.destroyed)
    far.destroy()
  })

  it('writes again when the stream drains, and the bytes are those that were written', async () => {
    const { ctx, wsis } = stage({ maxBufferedBytes: 16 * MIB })
    const [near, far] = streamPair({ highWaterMark: 1_000 })
    adoptSocket(ctx, near, { established: true })
    const sent: Buffer[] = []
    for (let count = 0; count < 40; count++) {
      const data = Buffer.alloc(777 * count, count)
      sent.push(server.frame(2, data))
      write(wsis[0]!, data, BINARY)
      data.fill(0xff)
    }
    const got: Buffer[] = []
    far.on('data', (chunk: Buffer) => got.push(chunk))
    const all = Buffer.concat(sent)
    await until(() => Buffer.concat(got).length === all.length)
    assert.ok(Buffer.concat(got).equals(all), 'no later change of the caller’s buffer was sent')
    assert.equal(getBufferedBytes(wsis[0]!), 0)
  })

  it('SERVER_WRITEABLE comes when the stream takes bytes again', async () => {
    const told: number[] = []
    let wsi!: Wsi
    const writer = defineProtocol({
      name: '',
      handlers: {
        ESTABLISHED: (one) => void (wsi = one),
        SERVER_WRITEABLE: () => void told.push(getBufferedBytes(wsi)),
      },
    })
    const { ctx } = stage({ protocols: [writer] })
    const [near, far] = streamPair({ highWaterMark: 100 })
    adoptSocket(ctx, near, { established: true })
    write(wsi, Buffer.alloc(100_000), BINARY)
    callbackOnWritable(ctx, wsi)
    for (let count = 0; count < 10; count++) await turn()
    assert.deepEqual(told, [], 'nobody reads')
    far.resume()
    await until(() => told.length === 1)
    assert.ok(told[0]! < 16_384)
  })

  it('deadlines come by one timer, and keep no process alive', async () => {
    const scene = stage({ handshakeTimeoutMs: 40 })
    const [near, far] = streamPair()
    adoptSocket(scene.ctx, near)
    const [chunk] = (await once(far, 'data')) as [Buffer]
    assert.match(chunk.toString(), /^HTTP\/1\.1 408 /)
  })

  it('what was written last arrives before the end', async () => {
    const scene = stage()
    const { wsi, far } = await overTcp(scene)
    let got = 0
    far.on('data', (chunk: Buffer) => (got += chunk.length))
    write(wsi, Buffer.alloc(3 * MIB), BINARY)
    far.write(client.close(1000))
    await once(far, 'end')
    assert.equal(got, 3 * MIB + 10 + 4)
    far.destroy()
  })

  it('port and path listen, and tell at once where, or why not', async () => {
    const { ctx } = stage({ port: 0 })
    const { address, port } = getListenAddress(ctx)!
    assert.equal(address, '127.0.0.1')
    assert.ok(port > 0)
    assert.throws(() => stage({ port }), { code: 'EADDRINUSE' })
    assert.throws(() => stage({ port: 0, address: '203.0.113.1' }), { code: 'EADDRNOTAVAIL' })
    const far = net.connect(port, '127.0.0.1')
    await once(far, 'connect')
    await until(() => pollFds(ctx).length === 2)
    const { fd } = pollFds(ctx)[1]!
    assert.equal(getPeerAddresses(ctx, fd).port, far.localPort)
    far.resetAndDestroy()
    await until(() => pollFds(ctx).length === 1)
  })

  it('a hangup resets TCP, and a reset is told as a lost transport', async () => {
    const scene = stage()
    const { wsi, far } = await overTcp(scene)
    const failed = once(far, 'error') as Promise<[NodeJS.ErrnoException]>
    far.resume()
    hangup(wsi)
    assert.equal((await failed)[0].code, 'ECONNRESET')
    const second = await overTcp(scene)
    second.far.resetAndDestroy()
    await until(() => scene.ends.length === 2)
    assert.equal(scene.ends[1]!.cause, 'TRANSPORT_ERROR')
  })

  describe('bad input is a UsageError, and the stream is as it was', () => {
    const refused = (title: string, make: () => object | Promise<object>, why: RegExp): void => {
      it(title, async () => {
        const { ctx } = stage()
        const stream = await make()
        assert.throws(
          () => adoptSocket(ctx, stream),
          (error: Error & { code?: string }) =>
            error.code === 'ERR_EXTPOLL_STREAM' && why.test(error.message),
        )
        assert.equal(pollFds(ctx).length, 0)
      })
    }
    refused('no stream at all', () => ({}), /no Duplex/)
    refused('destroyed', () => new PassThrough().destroy(), /destroyed/)
    refused('ended on our side', () => new PassThrough().end(), /one of its sides has ended/)
    refused('in object mode', () => new PassThrough({ objectMode: true }), /object mode/)
    refused('decoded to text', () => new PassThrough().setEncoding('utf8'), /setEncoding/)
    refused('read by somebody else', () => new PassThrough().on('data', () => undefined), /reads/)
    refused(
      'read from before, without what was read',
      async () => {
        const [near, far] = streamPair()
        far.write('GET')
        await turn()
        near.read()
        return near
      },
      /read from/,
    )
    refused(
      'adopted already',
      () => {
        const [near] = streamPair()
        adoptSocket(stage().ctx, near)
        return near
      },
      /adopted already/,
    )
  })

  it('a stream whose _write throws, or fails later, costs its own connection only', async () => {
    for (const fails of [
      () => {
        throw new Error('broken')
      },
      (done: (error: Error) => void) => setImmediate(done, new Error('broken later')),
    ]) {
      const scene = stage()
      const bad = new Duplex({
        read: () => undefined,
        write: (_chunk, _encoding, done) => fails(done),
      })
      adoptSocket(scene.ctx, bad, { established: true })
      write(scene.wsis[0]!, 'x', TEXT)
      await until(() => scene.ends.length === 1)
      assert.equal(scene.ends[0]!.cause, 'TRANSPORT_ERROR')
      assert.ok(bad.destroyed)
    }
  })

  it('what a handler throws is an uncaughtException, and the other connections go on', async () => {
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const caught: unknown[] = []
    process.on('uncaughtException', (error) => caught.push(error))
    try {
      const echoing = defineProtocol({
        name: '',
        handlers: {
          RECEIVE(wsi, data) {
            if (data.toString() === 'bad') throw new Error('a handler threw')
            write(wsi, data, TEXT)
          },
        },
      })
      const { ctx } = stage({ protocols: [echoing] })
      const [one, two] = [streamPair(), streamPair()]
      for (const [near] of [one, two]) adoptSocket(ctx, near, { established: true })
      one[1].write(client.text('bad'))
      two[1].write(client.text('good'))
      const [echo] = (await once(two[1], 'data')) as [Buffer]
      assert.deepEqual(echo, server.frame(1, 'good'))
      assert.equal(caught.length, 1)
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
  })
})
