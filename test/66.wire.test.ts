/** The whole wire conformance again, over Node's streams and over sockets handed over to epoll. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as net from 'node:net'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { epollHost, type EpollHost } from '../integrations/epoll.js'
import { checked } from '../integrations/fake-poller.js'
import { attach, streamsHost } from '../integrations/node-streams.js'
import { adoptSocket, type Context, type Host, hostOf } from '../src/index.js'
import { certificate } from './support/certificate.js'
import { watchOver } from './support/clean-checkers.js'
import { needsAddon } from './support/epoll-addon.js'
import { streamPair } from './support/stream-pair.js'
import { campaign, sanitized } from './support/effort.js'
import { rowsOf } from './support/wire-chapters.js'
import { runRowOver, type Transport } from './support/wire-over-streams.js'

const chapters = [
  '20.admission',
  '20.handshake',
  '20.request-head',
  '21.fragments',
  '21.frames',
  '22.closing',
  '23.text',
  '24.limits',
]

const allRows = rowsOf(chapters)

/** Rows of one test, and how many of them at once: each waits most of its time. */
const ROWS_PER_TEST = 120
const ROWS_AT_ONCE = 40

function checkedStreams(): Host {
  const checker = checked(streamsHost())
  watchOver(checker)
  return checker
}

const inMemory: Transport = {
  pieces: 'bytes',
  resets: true,
  host: checkedStreams,
  connect(ctx) {
    const [near, far] = streamPair()
    adoptSocket(ctx, near)
    return Promise.resolve(far)
  },
}

/** One server for all rows: the context at hand gets what it accepts. */
abstract class Served implements Transport {
  readonly pieces: Transport['pieces'] = 'halves'
  readonly resets: boolean = true
  readonly host: () => Host = checkedStreams
  abstract readonly server: net.Server

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port
  }

  #last: Promise<unknown> = Promise.resolve()

  /** One at a time: whose the next connection is, the server cannot know. */
  connect(ctx: Context): Promise<Duplex> {
    const connecting = this.#last.then(() => this.#connectNow(ctx))
    this.#last = connecting
    return connecting
  }

  async #connectNow(ctx: Context): Promise<Duplex> {
    const attachment = this.attach(ctx)
    const far = this.dial()
    await once(this.server, this.server instanceof tls.Server ? 'secureConnection' : 'connection')
    attachment.detach()
    return far
  }

  close(): void {
    this.server.close()
  }

  attach(ctx: Context): { detach(): void } {
    return attach(this.server, ctx, { closeWith: 'neither' })
  }

  dial(): Duplex {
    return net.connect({ port: this.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  }
}

class Tcp extends Served {
  readonly server = net.createServer({ noDelay: true })
}

class Tls extends Served {
  override readonly resets = false
  override readonly pieces = 'whole'
  readonly server = tls.createServer(certificate())

  override dial(): Duplex {
    const { cert: ca } = certificate()
    const options = { port: this.port, host: '127.0.0.1', ca, allowHalfOpen: true }
    return tls.connect(options)
  }
}

class HandedOver extends Served {
  readonly server = net.createServer({ noDelay: true })
  #native: EpollHost | undefined
  readonly #natives = new WeakMap<Host, EpollHost>()

  override readonly host = (): Host => {
    const checker = checked(streamsHost())
    watchOver(checker)
    this.#native ??= epollHost({ loop: 'node' })
    this.#natives.set(checker, checker.guest(this.#native))
    return checker
  }

  override close(): void {
    super.close()
    this.#native?.poller.close()
  }

  override attach(ctx: Context): { detach(): void } {
    const native = this.#natives.get(hostOf(ctx))!
    return attach(this.server, ctx, { closeWith: 'neither', native })
  }
}

function conformance(transport: Transport, some = allRows): void {
  for (let at = 0; at < some.length; at += ROWS_PER_TEST) {
    const rows = some.slice(at, at + ROWS_PER_TEST)
    it(`rows ${at} to ${at + rows.length - 1}`, async function () {
      this.timeout(60_000)
      const failures: string[] = []
      const work = async (): Promise<void> => {
        for (let next = rows.shift(); next !== undefined; next = rows.shift()) {
          const { title, row } = next
          await runRowOver(transport, row).catch((error: unknown) => {
            failures.push(`${title}: ${(error as Error).message}`)
          })
        }
      }
      await Promise.all(Array.from({ length: ROWS_AT_ONCE }, work))
      assert.deepEqual(failures, [])
    })
  }
}

describe('66 wire conformance over', () => {
  // Nothing of the addon's: what has sanitizers has no part in it.
  if (!sanitized) describe('an in-memory pair', () => conformance(inMemory))

  for (const [name, transport] of [
    ['TCP', new Tcp()],
    ['TLS', new Tls()],
    ['sockets handed over to epoll', new HandedOver()],
  ] as const) {
    describe(name, () => {
      if (transport instanceof HandedOver) needsAddon()
      before(() => transport.listen())
      after(() => transport.close())
      // Outside of CI every tenth, another one for each.
      const step = allRows.length / campaign(allRows.length)
      conformance(
        transport,
        allRows.filter((_, at) => at % Math.round(step) === name.length % Math.round(step)),
      )
    })
  }
})
