/**
 * A process in which one side of a piece of memory goes away: freed, collected, moved, or its
 * worker ended. Run with --expose-gc, and under a sanitizer where one is at hand.
 *
 * Its parent sees a crash as a signal and a wrong answer as a status.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isMainThread, parentPort } from 'node:worker_threads'
import { addon } from '../../integrations/epoll-addon/binding.js'
import { closePair, startWorker, tcpPair } from './epoll-addon.js'

const SIZE = 1 << 20
const native = addon()
const gc = (globalThis as { gc?: () => void }).gc

async function collect(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    gc?.()
    await nextTurn()
  }
}

/** `ArrayBuffer.prototype.transfer`, from Node 22 on, moves even what may not be posted. */
function transfer(memory: ArrayBuffer): ArrayBuffer | undefined {
  const move = (memory as { transfer?: () => ArrayBuffer }).transfer
  return move?.call(memory)
}

/** Makes freed memory be handed out again, so that a use after the free shows. */
function churn(): void {
  const ids = Array.from({ length: 50 }, () => {
    const [id, memory] = native.createBuffer(SIZE, false)
    new Uint8Array(memory).fill(0xee)
    return id
  })
  for (const id of ids) native.freeBuffer(id)
}

/** Receives `text` into the memory with the given id. */
function receive(id: number, text: string): number {
  const pair = tcpPair()
  try {
    native.sendv(pair.client, [Buffer.from(text)])
    return native.recv(pair.server, id, 0, 100)
  } finally {
    closePair(pair)
  }
}

const modes: Record<string, () => Promise<void> | void> = {
  async freed() {
    const [id, memory] = native.createBuffer(SIZE, false)
    const bytes = Buffer.from(memory).fill(7)
    native.freeBuffer(id)
    churn()
    await collect()
    assert.equal(bytes.equals(Buffer.alloc(SIZE, 7)), true)
    bytes.fill(9)
    assert.throws(() => native.mask(id, 0, 1, 1), { code: 'ERR_EXTPOLL_BUFFER' })
  },

  async collected() {
    const ids = Array.from({ length: 20 }, () => native.createBuffer(SIZE, false)[0])
    await collect()
    churn()
    for (const id of ids) {
      native.mask(id, 0, SIZE, 0x01020304)
      assert.equal(receive(id, 'still there'), 11)
      native.freeBuffer(id)
    }
  },

  async moved() {
    const [id, memory] = native.createBuffer(SIZE, false)
    try {
      structuredClone(memory, { transfer: [memory] })
    } catch (error) {
      assert.equal((error as Error).name, 'DataCloneError')
    }
    let moved = memory.byteLength === SIZE ? transfer(memory) : undefined
    assert.equal(receive(id, 'into moved memory'), 17)
    if (moved) assert.equal(Buffer.from(moved).toString('latin1', 0, 17), 'into moved memory')
    moved = undefined
    await collect()
    churn()
    assert.equal(receive(id, 'and after that'), 14)
    native.freeBuffer(id)
    await collect()
  },

  managed() {
    const [id, memory] = native.createBuffer(SIZE, true)
    assert.equal(receive(id, 'hello'), 5)
    assert.equal(Buffer.from(memory).toString('latin1', 0, 5), 'hello')
    structuredClone(memory, { transfer: [memory] })
    assert.equal(memory.byteLength, 0)
    const outside = { code: 'ERR_EXTPOLL_ARGUMENT_RANGE' }
    assert.throws(() => receive(id, 'hello'), outside)
    assert.throws(() => native.mask(id, 0, 1, 1), outside)
    native.mask(id, 0, 0, 1)
    native.freeBuffer(id)
    assert.throws(() => native.freeBuffer(id), { code: 'ERR_EXTPOLL_BUFFER' })
  },

  async 'worker-ends'() {
    for (let round = 0; round < 3; round++) {
      const worker = startWorker('./epoll-memory-child.ts', ['worker-side'])
      const [moved] = (await once(worker, 'message')) as [ArrayBuffer | null]
      await worker.terminate()
      churn()
      if (!moved) continue
      const bytes = Buffer.from(moved)
      assert.ok([0, 5].some((byte) => bytes.equals(Buffer.alloc(SIZE, byte))))
      bytes.fill(9)
    }
  },

  /** What a worker does that is then terminated: memory, sockets and a poller stay open. */
  'worker-side'() {
    const [, memory] = native.createBuffer(SIZE, false)
    new Uint8Array(memory).fill(5)
    const [freed, kept] = native.createBuffer(SIZE, false)
    native.freeBuffer(freed)
    tcpPair()
    const [triples] = native.createBuffer(1200, false)
    native.pollerCreate(true, triples, 100)
    const moved = transfer(memory) ?? null
    parentPort!.postMessage(moved, moved ? [moved] : [])
    setInterval(() => kept.byteLength, 1000)
  },

  'getter-detaches'() {
    const pair = tcpPair()
    for (let round = 0; round < 100; round++) {
      const first = new Uint8Array(SIZE)
      const parts = [first, new Uint8Array(1)]
      Object.defineProperty(parts, 1, {
        get() {
          structuredClone(first.buffer, { transfer: [first.buffer] })
          return new Uint8Array(1)
        },
      })
      const detached = { code: 'ERR_EXTPOLL_ARGUMENT_TYPE' }
      assert.throws(() => native.sendv(pair.client, parts), detached)
    }
    closePair(pair)
  },
}

await modes[process.argv[2] ?? '']!()
if (isMainThread) console.log('well')
