/**
 * Names by Node's resolver, as a descriptor that is readable while answers wait.
 *
 * Source: node:dns, `lookup`, which asks what every other program of the machine asks, on the
 * threads of libuv; Resolver of src/socket/socket-io.ts.
 */
import { lookup } from 'node:dns'
import { POLLIN } from '../../src/index.js'
import type { ResolverAnswer } from '../../src/index.js'
import { VirtualFd } from './virtual-fd.js'

export class StreamResolver extends VirtualFd {
  readonly #answers: ResolverAnswer[] = []
  /** Asked for and not answered: who gives a question up hears nothing of it. */
  readonly #asked = new Set<number>()

  ask(id: number, name: string, family: 4 | 6): void {
    this.#asked.add(id)
    lookup(name, { family, all: true }, (error, found) => {
      if (!this.#asked.delete(id)) return
      const addresses = error === null ? found.map(({ address }) => address) : []
      this.#answers.push({ id, addresses, error: error === null ? '' : (error.code ?? 'EAI_FAIL') })
      this.wake()
    })
  }

  take(): ResolverAnswer | null {
    return this.#answers.shift() ?? null
  }

  forget(id: number): void {
    this.#asked.delete(id)
  }

  close(): void {
    this.#asked.clear()
    this.#answers.length = 0
  }

  override revents(): number {
    return this.#answers.length > 0 ? this.mask & POLLIN : 0
  }

  override want(mask: number): void {
    this.live = true
    this.mask = mask
    if (this.revents() !== 0) this.wake()
  }

  override unpolled(): void {
    this.live = false
  }
}
