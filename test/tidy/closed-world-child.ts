/**
 * Rule C24, run: the library loads, every way out of the closed world is stubbed to throw, and the
 * library is used. Prints `untouched`, or which stub was touched first. With `--touch` it
 * touches each in turn instead and prints those that went unseen.
 *
 * Knows nothing of the library; what is done with it is in closed-world-use.ts.
 */
import { writeSync } from 'node:fs'

type Owner = Record<string, unknown>

const everywhere = globalThis as unknown as Owner

/** Each way out: whose property it is, and its name there. */
const waysOut: readonly [label: string, owner: Owner, name: string][] = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'].map(
    (name): [string, Owner, string] => [name, everywhere, name],
  ),
  ['Date.now', Date as unknown as Owner, 'now'],
  ['Date', everywhere, 'Date'],
  ['performance.now', performance as unknown as Owner, 'now'],
  ['Math.random', Math as unknown as Owner, 'random'],
  ['crypto.getRandomValues', crypto as unknown as Owner, 'getRandomValues'],
  ['process.nextTick', process as unknown as Owner, 'nextTick'],
  ['process.hrtime', process as unknown as Owner, 'hrtime'],
  ['Promise.resolve', Promise as unknown as Owner, 'resolve'],
  ['Promise.prototype.then', Promise.prototype as unknown as Owner, 'then'],
  ...Object.keys(console).map((name): [string, Owner, string] => [
    `console.${name}`,
    console as unknown as Owner,
    name,
  ]),
]

/** Runs `use` with every way out stubbed. @returns the label of the first one touched */
function firstTouched(use: () => void): string | undefined {
  let touched: string | undefined
  const restore: (() => void)[] = []
  for (const [label, owner, name] of waysOut) {
    const was = Object.getOwnPropertyDescriptor(owner, name)
    const stub = (): never => {
      touched ??= label
      throw new Error(`the library used ${label}`)
    }
    stub.now = stub
    Object.defineProperty(owner, name, { value: stub, configurable: true, writable: true })
    restore.push(() => {
      if (was) Object.defineProperty(owner, name, was)
      else Reflect.deleteProperty(owner, name)
    })
  }
  try {
    use()
  } catch (error) {
    if (touched === undefined) throw error
  } finally {
    for (const put of restore.reverse()) put()
  }
  return touched
}

/** The labels that would go unseen: none, or this test proves nothing. */
function unseen(): string[] {
  return waysOut
    .filter(([label, owner, name]) => {
      return firstTouched(() => (owner[name] as () => unknown)()) !== label
    })
    .map(([label]) => label)
}

if (process.argv.includes('--touch')) {
  writeSync(1, `unseen: ${unseen().join(', ') || 'none'}\n`)
} else {
  const { useLibrary } = await import('./closed-world-use.js')
  const touched = firstTouched(useLibrary)
  writeSync(1, touched === undefined ? 'untouched\n' : `touched ${touched}\n`)
}
