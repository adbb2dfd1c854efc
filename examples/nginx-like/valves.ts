/**
 * Connections that may be paused from outside: each has a key, and who shows it may turn it.
 *
 * A paused connection reads nothing, so the word to go on must come by another one; the key is what
 * shows that both are of one page. Knows nothing of chats and feeds.
 */
import { randomUUID } from 'node:crypto'
import { rxFlowControl } from 'extpoll'
import type { Wsi } from 'extpoll'

export class Valves {
  readonly #connections = new Map<string, Wsi>()

  /** @returns the connection's key, known to nobody else */
  issue(wsi: Wsi): string {
    const key = randomUUID()
    this.#connections.set(key, wsi)
    return key
  }

  revoke(key: string): void {
    this.#connections.delete(key)
  }

  /** @returns false where no connection has that key */
  turn(key: string, open: boolean): boolean {
    const wsi = this.#connections.get(key)
    return wsi !== undefined && rxFlowControl(wsi, open)
  }
}
