/**
 * The rows of wire chapters, without their tests: for who runs them over a transport of their own.
 */
import { createRequire } from 'node:module'
import { allRows } from './wire.js'

const HOOKS = ['it', 'before', 'after', 'beforeEach', 'afterEach'] as const
/** What a chapter says of its own pace means nothing here. */
const suite = { timeout: () => {}, slow: () => {}, retries: () => {} }

/**
 * Loads the chapters once more, beside those that mocha has loaded or will load as tests.
 * @param chapters `20.handshake` for test/20.handshake.test.ts
 */
export function rowsOf(chapters: readonly string[]): typeof allRows {
  const first = allRows.length
  const globals = globalThis as unknown as Record<string, unknown>
  const kept = { ...Object.fromEntries(HOOKS.map((name) => [name, globals[name]])), describe }
  for (const name of HOOKS) globals[name] = () => suite
  globals.describe = (_title: string, body: (this: typeof suite) => void) => body.call(suite)
  try {
    for (const name of chapters) loadAnew(`../${name}.test.ts`)
  } finally {
    Object.assign(globals, kept)
  }
  return allRows.splice(first)
}

const require = createRequire(import.meta.url)

/** Leaves the cache as it was. */
function loadAnew(file: string): void {
  const path = require.resolve(file)
  const cached = require.cache[path]
  Reflect.deleteProperty(require.cache, path)
  require(path)
  if (cached === undefined) Reflect.deleteProperty(require.cache, path)
  else require.cache[path] = cached
}
