/**
 * Many who knock at a server that has no descriptor left, one attempt a second each.
 *
 * Knows sockets and statuses; what the server must do is the test's.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { HostileSocket, type Place } from './hostile-socket.js'

const AGAIN_MS = 1000

export class Knockers {
  /** How attempts ended: `503`, `101`, or `reset` where no answer came. */
  readonly answers = new Map<string, number>()
  /** Those that got in, and stay. */
  readonly inside: HostileSocket[] = []
  #stopped = false
  readonly #all: Promise<void>[] = []

  constructor(
    readonly place: Place,
    count: number,
  ) {
    for (let index = 0; index < count; index++) this.#all.push(this.#knock((index / count) * 500))
  }

  answered(status: string): number {
    return this.answers.get(status) ?? 0
  }

  /** Each makes the attempt it is at, and no more; those inside leave. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const client of this.inside) client.socket.destroy()
    await Promise.all(this.#all)
  }

  async #knock(delayMs: number): Promise<void> {
    await pause(delayMs)
    while (!this.#stopped) {
      const answer = await this.#attempt()
      this.answers.set(answer, this.answered(answer) + 1)
      if (answer === '101') return
      await pause(AGAIN_MS)
    }
  }

  async #attempt(): Promise<string> {
    const client = new HostileSocket(this.place)
    try {
      await client.upgraded('knock')
      if (this.#stopped) client.socket.destroy()
      else this.inside.push(client)
      return '101'
    } catch {
      return client.status === 0 ? 'reset' : String(client.status)
    } finally {
      if (client.status !== 101) client.socket.destroy()
    }
  }
}
