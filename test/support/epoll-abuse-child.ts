/**
 * A process that misuses the epoll integration: `native`, the addon itself; `surface`, all that
 * extpoll/epoll exports and what that answers; `core`, all that extpoll exports. Moves to the
 * folder it is given, an empty one, since some of the values are legal paths.
 *
 * A crash is seen by its parent as a signal. Beside it all a connection echoes, after every single
 * call, and at the end no descriptor is left. Prints one line of JSON: how much was tried.
 */
import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { addon } from '../../integrations/epoll-addon/binding.js'
import { epollHost, service, socketIo } from '../../integrations/epoll.js'
import { BINARY, contextDestroy, createContext, defineProtocol, write } from '../../src/index.js'
import { Abuse, assertSameNames } from './abuse.js'
import { abuseCore } from './core-abuse-rows.js'
import { abuseSurface } from './epoll-abuse-rows.js'
import { hostileValues } from './hostile-values.js'
import { LoopClient } from './loop-client.js'
import { nativeRows } from './native-abuse-rows.js'

/** A connection that has nothing to do with any of this. */
class Innocent {
  readonly #host = epollHost()
  readonly #ctx = createContext({
    host: this.#host,
    port: 0,
    protocols: [
      defineProtocol({ handlers: { RECEIVE: (wsi, data) => void write(wsi, data, BINARY) } }),
    ],
  })
  readonly #round = (): number => service(this.#ctx, 0)
  readonly #client = LoopClient.open(this.#ctx, this.#round)
  echoes = 0

  readonly echo = (): void => {
    const text = `unharmed ${++this.echoes}`
    this.#client.sendMessage(text)
    this.#client.untilEchoed(this.#round, text)
  }

  end(): void {
    this.#client.reset()
    contextDestroy(this.#ctx)
    this.#host.poller.close()
  }
}

function abuseNative(abuse: Abuse): void {
  const native = addon() as unknown as Record<string, (...args: unknown[]) => unknown>
  const { rows, end } = nativeRows()
  assertSameNames('the addon', Object.keys(native), rows)
  for (const [name, row] of Object.entries(rows)) {
    abuse.tryRow(name, { ...row, call: native[name]! })
    const args = row.args()
    abuse.attempt(`${name} without this`, () =>
      row.undo?.(Reflect.apply(native[name]!, null, args), args),
    )
    const construct = () => Reflect.construct(native[name]!, row.args()) as unknown
    // Made with `new` it answers an object, and what it opened nobody knows: those without an undo.
    if (row.undo === undefined) abuse.attempt(`new ${name}`, construct)
  }
  end()
}

/** Every open descriptor and what it is. */
function openFds(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`]
    } catch {
      return [] // what looked at the folder
    }
  })
}

const [folder = '', mode = ''] = process.argv.slice(2)
process.chdir(folder)
// The first ids are low numbers, and a value may be one: they are to be nobody's.
socketIo.createBuffer(64)
addon().pollerClose(addon().pollerCreate(true, socketIo.createBuffer(4096).id, 64))
const sacrificed = addon().pollerCreate(true, socketIo.createBuffer(4096).id, 64)
const innocent = new Innocent()
const abuse = new Abuse(innocent.echo)
const before = openFds()
const modes = { native: abuseNative, surface: abuseSurface, core: abuseCore }
modes[mode as keyof typeof modes](abuse)
abuse.assertClean()
await new Promise((resolve) => setTimeout(resolve, 10))
assert.deepEqual(
  openFds().filter((line) => !before.includes(line)),
  [],
  'descriptors are left',
)
innocent.end()
addon().pollerClose(sacrificed)
const { calls, rows } = abuse
const { echoes } = innocent
console.log(JSON.stringify({ rows, values: hostileValues.length, calls, echoes }))
