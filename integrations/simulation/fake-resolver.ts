/**
 * Names in memory: what a test says of a name, when it says it, and as wrongly as it likes.
 *
 * A name in `names` is answered at once; any other waits in `lookups` for the test. Knows no
 * descriptor table: the kernel opens and closes for it.
 * Source: Resolver of src/socket/socket-io.ts.
 */
import { POLLIN } from '../../src/index.js'
import type { Resolver, ResolverAnswer } from '../../src/index.js'

/** The descriptor of a resolver, and the answers that wait in it. */
export interface ResolverEnd {
  readonly kind: 'resolver'
  fd: number
  readonly answers: ResolverAnswer[]
}

/** What the resolver needs of its kernel. */
export interface ResolverKernel {
  openResolver(end: ResolverEnd): number
  resolverAt(call: string, fd: number): ResolverEnd
  closeResolver(fd: number): number
  onActivity(fd: number): void
}

/** A name that was asked for and not answered yet. */
export class Lookup {
  /** Nobody waits for the answer any more. */
  cancelled = false

  constructor(
    private readonly end: ResolverEnd,
    private readonly kernel: ResolverKernel,
    readonly id: number,
    readonly name: string,
    readonly family: 4 | 6,
  ) {}

  /** Answers, as often as a test likes. @param addresses in text; nobody checks them */
  answer(...addresses: readonly string[]): void {
    this.give({ id: this.id, addresses, error: '' })
  }

  /** There is no answer. @param error ENOTFOUND, EAI_AGAIN */
  fail(error = 'ENOTFOUND'): void {
    this.give({ id: this.id, addresses: [], error })
  }

  private give(answer: ResolverAnswer): void {
    this.end.answers.push(answer)
    if (this.end.fd >= 0) this.kernel.onActivity(this.end.fd)
  }
}

export function resolverReadiness({ answers }: ResolverEnd): number {
  return answers.length > 0 ? POLLIN : 0
}

export class FakeResolver implements Resolver {
  /** Addresses of both families by name: answered at once. */
  readonly names = new Map<string, readonly string[]>()
  /** What waits for an answer of the test, oldest first. */
  readonly lookups: Lookup[] = []

  /** Those that a test took a look at as well. */
  private readonly asked = new Map<number, Lookup[]>()

  constructor(private readonly kernel: ResolverKernel) {}

  open(): number {
    return this.kernel.openResolver({ kind: 'resolver', fd: -1, answers: [] })
  }

  start(resolverFd: number, id: number, name: string, family: 4 | 6): number {
    const lookup = this.ask(resolverFd, id, name, family)
    const known = this.addressesOf(name, family)
    if (known === undefined) this.wait(resolverFd, lookup)
    else if (known.length === 0) lookup.fail()
    else lookup.answer(...known)
    return 0
  }

  /** A question whose answer is the caller's to give. */
  ask(resolverFd: number, id: number, name: string, family: 4 | 6): Lookup {
    const end = this.kernel.resolverAt('start', resolverFd)
    return new Lookup(end, this.kernel, id, name, family)
  }

  /** What was laid down of a name; undefined: nothing. */
  addressesOf(name: string, family: 4 | 6): readonly string[] | undefined {
    return this.names.get(name)?.filter((one) => one.includes(':') === (family === 6))
  }

  take(resolverFd: number): ResolverAnswer | null {
    return this.kernel.resolverAt('take', resolverFd).answers.shift() ?? null
  }

  cancel(resolverFd: number, id: number): void {
    this.kernel.resolverAt('cancel', resolverFd)
    for (const lookup of this.asked.get(resolverFd) ?? [])
      if (lookup.id === id) lookup.cancelled = true
  }

  close(resolverFd: number): number {
    this.asked.delete(resolverFd)
    return this.kernel.closeResolver(resolverFd)
  }

  private wait(resolverFd: number, lookup: Lookup): void {
    this.lookups.push(lookup)
    const asked = this.asked.get(resolverFd)
    if (asked === undefined) this.asked.set(resolverFd, [lookup])
    else asked.push(lookup)
  }
}
