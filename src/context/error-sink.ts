/** What callbacks throw: given to `onError`, or kept for the outermost call to throw (C29). */
import { UsageError } from '../errors.js'

export class ErrorSink {
  readonly #onError: ((error: unknown) => void) | undefined
  #kept: unknown[] = []

  constructor(onError: ((error: unknown) => void) | undefined) {
    this.#onError = onError
  }

  report(error: unknown): void {
    if (this.#onError === undefined) {
      this.#kept.push(error)
      return
    }
    try {
      this.#onError(error)
    } catch (second) {
      this.#kept.push(second)
    }
  }

  /** Takes what no onError took. */
  take(): unknown[] {
    const kept = this.#kept
    if (kept.length > 0) this.#kept = []
    return kept
  }

  /** Reports a callback's answer that is a Promise. @returns whether it is one */
  refusesPromise(answer: object | null): boolean {
    if (typeof (answer as { then?: unknown } | null)?.then !== 'function') return false
    this.report(
      new UsageError(
        'ERR_EXTPOLL_ASYNC_CALLBACK',
        'a callback answered a Promise: callbacks are synchronous; start your ' +
          'asynchronous work and write() when it is done',
      ),
    )
    return true
  }
}
