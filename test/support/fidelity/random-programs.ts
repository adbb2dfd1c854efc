/**
 * Fidelity scenarios that nobody thought of: random programs of the same small language.
 *
 * Never what a program may not do (use what it closed, close what is watched), and never a send
 * that may meet the end of the room, which is the kernel's business.
 */
import { Dice } from '../streams.js'
import type { FidelityScenario } from './compare.js'
import type { Transport } from './machine.js'

const STEPS = 24
const MAX_SOCKETS = 6
const MASKS = ['in', 'out', 'in+out', 'none'] as const

export function randomProgram(seed: number, transport: Transport): FidelityScenario {
  return { name: `program ${seed}`, transport, steps: new Author(seed).write().join('; ') }
}

/** Writes one program, and knows meanwhile what is open. */
class Author {
  private readonly dice: Dice
  private readonly steps: string[] = []
  private readonly sockets: string[] = []
  private readonly watched = new Set<string>()
  private queued = 0
  private names = 0

  constructor(seed: number) {
    this.dice = new Dice(seed)
  }

  write(): string[] {
    this.steps.push('listen L')
    this.connect()
    this.accept()
    while (this.steps.length < STEPS) this.step()
    for (const name of this.sockets) this.steps.push(`recv ${name} 99`, `error ${name}`)
    return this.steps
  }

  private step(): void {
    const { dice } = this
    const name = this.sockets.length === 0 ? undefined : dice.pick(this.sockets)
    const kind = dice.roll(100)
    if (kind < 8 || name === undefined) this.connect()
    else if (kind < 18) this.accept()
    else if (kind < 34) this.steps.push(`send ${name} ${1 + dice.roll(5)}`)
    else if (kind < 48) this.steps.push(`recv ${name} ${1 + dice.roll(8)}`)
    else if (kind < 56) this.steps.push(`shut ${name}`)
    else if (kind < 61) this.steps.push(`error ${name}`)
    else if (kind < 68) this.close(name, 'close')
    else if (kind < 74) this.close(name, 'abort')
    else if (kind < 86) this.watch(name)
    else if (kind < 89) this.watchListener()
    else this.steps.push('wait')
  }

  private connect(): void {
    if (this.sockets.length >= MAX_SOCKETS) return
    this.steps.push(`connect ${this.named()} L`)
    this.queued += 1
  }

  private accept(): void {
    if (this.queued === 0 || this.sockets.length >= MAX_SOCKETS) return
    this.queued -= 1
    this.steps.push(`accept ${this.named()} L`)
  }

  private close(name: string, how: string): void {
    if (this.watched.delete(name)) this.steps.push(`unwatch ${name}`)
    this.steps.push(`${how} ${name}`)
    this.sockets.splice(this.sockets.indexOf(name), 1)
  }

  private watch(name: string): void {
    const mask = this.dice.pick(MASKS)
    if (!this.watched.has(name)) this.steps.push(`watch ${name} ${mask}`)
    else if (this.dice.roll(3) > 0) this.steps.push(`mask ${name} ${mask}`)
    else this.steps.push(`unwatch ${name}`)
    if (this.steps.at(-1)!.startsWith('unwatch')) this.watched.delete(name)
    else this.watched.add(name)
  }

  private watchListener(): void {
    this.steps.push(this.watched.has('L') ? 'unwatch L' : 'watch L in')
    if (!this.watched.delete('L')) this.watched.add('L')
  }

  private named(): string {
    const name = `s${this.names}`
    this.names += 1
    this.sockets.push(name)
    return name
  }
}
