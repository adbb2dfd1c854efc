/**
 * Where in the arena the frame lies that was copied there last. Who writes one payload to many
 * connections, in a loop or as a broadcast, has it there once: so the kernel reads it where it is
 * warm, and not each time from another place that nobody touched for long.
 */
export class LastFrame {
  #payload: Uint8Array | null = null
  #firstByte = 0
  #epoch = -1
  #start = 0
  #payloadAt = 0
  #end = 0

  /** @param start of the frame, in the arena as it is filled in this `epoch` */
  note(epoch: number, firstByte: number, payload: Uint8Array, start: number, at: number): void {
    this.#payload = payload
    this.#firstByte = firstByte
    this.#epoch = epoch
    this.#start = start
    this.#payloadAt = at
    this.#end = at + payload.length
  }

  /** Does this very frame lie there still? The payload is the caller's: it may have changed. */
  is(arena: Buffer, epoch: number, firstByte: number, payload: Uint8Array): boolean {
    return (
      payload === this.#payload &&
      firstByte === this.#firstByte &&
      epoch === this.#epoch &&
      payload.length === this.#end - this.#payloadAt &&
      arena.compare(payload, 0, payload.length, this.#payloadAt, this.#end) === 0
    )
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }
}
