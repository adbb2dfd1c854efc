/**
 * A server, its honest peers and one family of attackers, each in a process of its own; and what
 * they cost each other: latency, memory, and how each attacker ended.
 *
 * Knows the processes' lines, and no limit.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ContextOptions } from '../../src/index.js'
import type { Attack } from './hostile-attackers.js'
import type { Beat } from './hostile-honest.js'
import type { Ended, Report } from './hostile-server.js'
import type { Place } from './hostile-socket.js'
import { Program } from './programs.js'

/** As `extpoll echo` has it; V8's own is up to 48 MiB, which it takes where there is work. */
const SMALL_YOUNG_GENERATION = '--max-semi-space-size=1'

type Limits = Partial<Omit<ContextOptions, 'host' | 'protocols' | 'on'>>

/** A program of this folder that answers each line with one. */
export class Talker extends Program {
  #taken = 0

  constructor(script: string, args: readonly (string | number)[], shell?: string) {
    const file = fileURLToPath(new URL(script, import.meta.url))
    const node = [process.execPath, SMALL_YOUNG_GENERATION, '--import', 'tsx', file]
    node.push(...args.map(String))
    if (shell === undefined) super(node[0]!, node.slice(1))
    else super('sh', ['-c', `${shell}; exec "$@"`, 'sh', ...node])
  }

  /** The next line of its stdout. @throws Error where it ends without */
  async line(): Promise<string> {
    for (;;) {
      const end = this.stdout.indexOf('\n', this.#taken)
      if (end >= 0) {
        const line = this.stdout.slice(this.#taken, end)
        this.#taken = end + 1
        return line
      }
      const news = await Promise.race([this.ended, pause(5)])
      if (news !== undefined && !this.stdout.includes('\n', this.#taken))
        throw new Error(`it ended with ${news.status}, ${news.signal}: ${this.stderr}`)
    }
  }

  async ask<Answer>(): Promise<Answer> {
    this.process.stdin!.write('?\n')
    return JSON.parse(await this.line()) as Answer
  }

  get pid(): number {
    return this.process.pid!
  }

  /** What the process holds of the machine's memory. */
  get rssBytes(): number {
    const pages = readFileSync(`/proc/${this.pid}/statm`, 'latin1').split(' ')[1]
    return Number(pages) * 4096
  }

  /** User and system time so far, in milliseconds. */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  }
}

/** A server with these limits. @param shell what its shell does first, such as `ulimit -n 64` */
export async function startServer(
  limits: Limits,
  shell?: string,
): Promise<{ server: Talker; place: Place }> {
  const server = new Talker('./hostile-server.ts', [JSON.stringify(limits)], shell)
  const port = await server.line()
  return { server, place: limits.path ?? port }
}

export interface Siege {
  readonly calm: Beat
  readonly besieged: Beat
  readonly growthBytes: number
  readonly attacks: readonly Attack[]
  /** What the server told of those that ended. */
  readonly ended: readonly Ended[]
}

/** Attackers compute elsewhere; here, in what time the server and the honest peers leave over. */
const IN_OTHERS_REST = 'chrt --idle --pid 0 $$ || renice -n 19 $$ >/dev/null'

const HONEST_PEERS = 100
const WARM_UP_MS = 700
/** About as long as a siege: a hundredth of either has as many hiccups of the machine in it. */
const CALM_MS = 4000

/** Honest peers alone, then beside the attackers until the last of those is gone. */
export async function besiege(
  limits: Limits,
  family: string,
  attackers: number,
  limit = 0,
): Promise<Siege> {
  const { server, place } = await startServer(limits)
  const honest = new Talker('./hostile-honest.ts', [place, HONEST_PEERS])
  const horde = new Talker(
    './hostile-attackers.ts',
    [family, place, attackers, limit],
    IN_OTHERS_REST,
  )
  await horde.line()
  await honest.line()
  await pause(WARM_UP_MS)
  await honest.ask()
  await pause(CALM_MS)
  const calm = await honest.ask<Beat>()
  const rssBytes = server.rssBytes
  let peakBytes = rssBytes
  const look = setInterval(() => (peakBytes = Math.max(peakBytes, server.rssBytes)), 20)
  let attacks: Attack[]
  try {
    horde.process.stdin!.write('now\n')
    attacks = JSON.parse(await horde.line()) as Attack[]
  } finally {
    clearInterval(look)
  }
  const besieged = await honest.ask<Beat>()
  const { ended } = await server.ask<Report>()
  await Promise.all([server, honest].map((program) => program.signal('SIGKILL')))
  return { calm, besieged, growthBytes: peakBytes - rssBytes, attacks, ended }
}
