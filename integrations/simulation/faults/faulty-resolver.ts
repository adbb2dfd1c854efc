/**
 * The resolver of a host whose names misbehave: they hang, lie, and are answered late, twice, or
 * not at all.
 *
 * The resolver behind it stays honest. Refuses to know who asks.
 * Source: Resolver of src/socket/socket-io.ts; RFC 8305 section 3.
 */
import type { Resolver, ResolverAnswer } from '../../../src/index.js'
import type { FakeResolver } from '../fake-resolver.js'
import type { Environment } from '../world/environment.js'
import { undoLater } from '../world/environment.js'

/** Some of it lies beyond what anybody waits for a name. */
const LATE_MS = 20_000
const TWICE_MS = 3_000
const MANY = 300

export class FaultyResolver implements Resolver {
  /** The IPv4 answer of the name in hand will be empty: its IPv6 answer was not. */
  private emptyNext = false

  constructor(
    private readonly resolver: FakeResolver,
    private readonly world: Environment,
  ) {}

  start(resolverFd: number, id: number, name: string, family: 4 | 6): number {
    const { faults } = this.world
    if (!faults.active) return this.resolver.start(resolverFd, id, name, family)
    const lookup = this.resolver.ask(resolverFd, id, name, family)
    const known = this.resolver.addressesOf(name, family) ?? []
    if (faults.fires('name-hangs')) return 0
    const addresses = this.distort(known, family)
    const answer = (): void => {
      if (addresses.length === 0) lookup.fail()
      else lookup.answer(...addresses)
    }
    if (faults.fires('name-late'))
      undoLater(this.world, 1 + faults.pick('name-late', LATE_MS), answer)
    else answer()
    if (faults.fires('name-answered-twice'))
      undoLater(this.world, 1 + faults.pick('name-answered-twice', TWICE_MS), () =>
        lookup.answer(strangerOf(family, 0)),
      )
    return 0
  }

  /** What is answered is part of a run's course. */
  take(resolverFd: number): ResolverAnswer | null {
    const answer = this.resolver.take(resolverFd)
    if (answer !== null) this.world.fold(answer.id * 1000 + answer.addresses.length)
    return answer
  }

  open(): number {
    return this.resolver.open()
  }

  cancel(resolverFd: number, id: number): void {
    this.resolver.cancel(resolverFd, id)
  }

  close(resolverFd: number): number {
    return this.resolver.close(resolverFd)
  }

  private distort(known: readonly string[], family: 4 | 6): readonly string[] {
    const { faults } = this.world
    if (faults.fires('name-empty') || this.isMissing(family)) return []
    if (!faults.fires('name-lies')) return known
    const stranger = strangerOf(family, faults.pick('name-lies', 200))
    const many = Array.from({ length: MANY }, (_, index) => strangerOf(family, index))
    const lies = [[stranger, ...known], [stranger], [strangerOf(family === 6 ? 4 : 6, 1)], many]
    return lies[faults.pick('name-lies', lies.length)]!
  }

  /** One of the two, never both: who asks for both asks for IPv6 first. */
  private isMissing(family: 4 | 6): boolean {
    const { faults } = this.world
    if (family === 4) {
      const isMissing = this.emptyNext
      this.emptyNext = false
      return isMissing
    }
    if (!faults.fires('name-one-family')) return false
    this.emptyNext = faults.pick('name-one-family', 2) === 1
    return !this.emptyNext
  }
}

/** An address that nobody of the world has. */
function strangerOf(family: 4 | 6, number: number): string {
  return family === 4 ? `10.9.${number >> 8}.${number & 255}` : `fd00:9::${number.toString(16)}`
}
