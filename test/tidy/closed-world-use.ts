/**
 * What closed-world-child.ts does with the library while every way out of the closed world throws.
 *
 * Synchronous throughout, and with nothing of Node's in reach.
 */
import * as library from '../../src/index.js'

/** What follows the import: the place for an echo over the fake poller. */
export function useLibrary(): void {
  if (Object.keys(library).length === 0) throw new Error('the library exports nothing')
}
