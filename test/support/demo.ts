/**
 * The demo of examples/nginx-like in a process of its own, as `make demo` starts it, and its
 * control socket. Knows what its one line says, and nothing else of it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { Program } from './programs.js'

/** What the control socket answers. */
export interface DemoStatus {
  readonly pid: number
  readonly uptimeMs: number
  readonly rounds: number
  readonly events: number
  readonly changes: Readonly<Record<'ADD' | 'SET' | 'CLEAR' | 'DEL', number>>
  readonly pollSet: readonly PolledRow[]
}

export interface PolledRow {
  readonly fd: number
  readonly events: string
  readonly gen: number | null
  readonly ageMs: number
  readonly what: string
}

/**
 * @param port as the environment has it; '0' takes any free one
 * @param env of the environment besides
 */
export function demoProgram(
  port: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Program {
  const main = ['--import', 'tsx', 'examples/nginx-like/main.ts']
  return new Program(process.execPath, [...main, ...args], { ...env, PORT: port })
}

export class Demo {
  readonly program: Program
  /** With a slash at its end. */
  url = ''
  controlPath = ''

  private constructor(args: readonly string[]) {
    this.program = demoProgram('0', args)
  }

  /** @param args of its command line */
  static async start(args: readonly string[] = []): Promise<Demo> {
    const demo = new Demo(args)
    const line = await demo.program.firstLine()
    const parts = /^open (http:\/\/[^/]+:\d+\/) .*Ctrl-C.* (\/\S+)$/.exec(line)
    assert.ok(parts, line)
    demo.url = parts[1]!
    demo.controlPath = parts[2]!
    return demo
  }

  get socketUrl(): string {
    return this.url.replace('http:', 'ws:')
  }

  /** Asks the control socket. @returns the whole answer */
  async ask(question: string): Promise<string> {
    const socket = connect(this.controlPath)
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.write(question)
    await once(socket, 'close')
    return answer
  }

  async status(): Promise<DemoStatus> {
    return JSON.parse(await this.ask('status')) as DemoStatus
  }

  /** Asks until the answer is as wanted. @throws AssertionError where it never is */
  async statusWhen(wanted: (status: DemoStatus) => boolean): Promise<DemoStatus> {
    for (let tries = 0; tries < 200; tries++) {
      const status = await this.status()
      if (wanted(status)) return status
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.fail(`never came: ${wanted.toString()}`)
  }

  /** Descriptors the process has open, whoever opened them. */
  openFds(): number {
    return readdirSync(`/proc/${this.program.process.pid}/fd`).length
  }
}
