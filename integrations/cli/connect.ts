/**
 * `extpoll connect URL`: lines of stdin to a server, its messages to stdout.
 *
 * In a terminal with a prompt and colours, and with what the peer sent made harmless; in a pipe
 * nothing but the messages. The end of input closes; what still comes before the answer is printed.
 */
import { createInterface, type Interface } from 'node:readline'
import {
  BINARY,
  callbackOnWritable,
  clientConnect,
  close,
  contextDestroy,
  createContext,
  defineProtocol,
  getContext,
  hangup,
  isBinary,
  isDestroyed,
  TEXT,
  write,
} from '../../src/index.js'
import type { ClientOptions, CloseInfo, Context, Wsi } from '../../src/index.js'
import { streamsHost } from '../node-streams.js'
import { CommandError, type Command } from './command.js'
import { flag, oneOf, optionHelp, parseOptions, wholeNumber } from './options.js'
import type { OptionValues } from './options.js'
import { harmless, printError, printLine } from './print.js'

const COLORS = ['auto', 'always', 'never'] as const
const DEFAULT_CLOSE_CODE = 1000
/** Closings that are as one wants them; any other ends with status 1. */
const GOOD_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005])

const text = (placeholder: string, about: string, allowed: string) => ({
  placeholder,
  about,
  allowed,
  read: (value: string): string | undefined => (value === '' ? undefined : value),
})

const options = {
  url: { ...text('URL', 'the server, ws://127.0.0.1:9000/', 'a URL'), form: 'operand' as const },
  header: {
    placeholder: 'LINE',
    about: "a header of the request, 'Name: value'; may be repeated",
    allowed: "a name, a colon and a value, 'Cookie: a=b' for instance",
    read(line: string): readonly [string, string] | undefined {
      const [, name, value] = /^([^\s:]+):[ \t]*([^\r\n]*)$/.exec(line) ?? []
      return name === undefined ? undefined : [name, value ?? '']
    },
  },
  protocol: text('NAME', 'a subprotocol to offer; may be repeated', 'the name of a subprotocol'),
  origin: text('ORIGIN', 'the Origin header; default: none', 'an origin, http://example.com'),
  proxy: text('URL', 'an HTTP proxy to go through: http://[user:password@]host:port', 'a URL'),
  unix: text('PATH', 'connect to this Unix socket; URL says the rest', 'a path'),
  binary: flag('send lines as binary messages; default: as text'),
  ping: wholeNumber('S', 'ping every S seconds, and show pongs; default: neither', 1, 86_400),
  close: wholeNumber('CODE', 'the code to close with; default 1000', 1000, 4999),
  color: oneOf('WHEN', `${COLORS.join(', ')}; default auto: in a terminal`, COLORS),
}

type Values = OptionValues<typeof options>

export const connect: Command = {
  summary: 'send lines to a server, print its messages',
  async run(argv) {
    const values = parseOptions(options, argv)
    if (values === 'help') {
      printLine(help())
      return 0
    }
    const [url] = values.url
    if (url === undefined || values.url.length > 1)
      throw new CommandError('give one URL, ws://127.0.0.1:9000/ for instance; --help tells more')
    const code = values.close.at(-1) ?? DEFAULT_CLOSE_CODE
    if (code !== DEFAULT_CLOSE_CODE && code < 3000)
      throw new CommandError(`--close must be 1000 or from 3000 to 4999, not ${code}`)
    const twice = repeatedName(values.header)
    if (twice !== undefined)
      throw new CommandError(`--header ${twice} is given twice; put its values into one line`)
    return new Session(values, code).run(url)
  },
}

/** One connection, from the first line to the exit status. */
class Session {
  readonly #values: Values
  readonly #closeCode: number
  readonly #screen: Screen
  readonly #kind: number
  #lines: Interface | undefined
  #wsi: Wsi | undefined

  constructor(values: Values, closeCode: number) {
    this.#values = values
    this.#closeCode = closeCode
    this.#screen = new Screen(values.color.at(-1) ?? 'auto')
    this.#kind = values.binary.length > 0 ? BINARY : TEXT
  }

  async run(url: string): Promise<number> {
    let ctx: Context | undefined
    const interrupt = (): void => this.#interrupted()
    try {
      return await new Promise<number>((resolve, reject) => {
        ctx = this.#context(resolve, reject)
        this.#wsi = clientConnect(ctx, this.#clientOptions(url))
        process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
        process.stdout.on('error', interrupt)
      })
    } finally {
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
      this.#lines?.close()
      process.stdin.destroy()
      if (ctx !== undefined && !isDestroyed(ctx)) contextDestroy(ctx)
    }
  }

  #context(resolve: (status: number) => void, reject: (error: unknown) => void): Context {
    const { protocol, ping } = this.#values
    const names = new Set(protocol.length === 0 ? [''] : protocol)
    const pingS = ping.at(-1)
    const handlers = {
      CLIENT_ESTABLISHED: (wsi: Wsi) => this.#established(wsi),
      CLIENT_RECEIVE: (wsi: Wsi, data: Buffer) => this.#screen.message(data, isBinary(wsi)),
      CLIENT_RECEIVE_PONG: () => {
        if (pingS !== undefined) this.#screen.note('pong')
      },
      CLIENT_WRITEABLE: () => void this.#lines?.resume(),
      CLIENT_CONNECTION_ERROR(_wsi: Wsi, { reason }: CloseInfo) {
        printError(`extpoll connect: ${reason}`)
        resolve(1)
      },
      CLOSED: (_wsi: Wsi, info: CloseInfo) => resolve(this.#closed(info)),
    }
    return createContext({
      host: streamsHost(),
      protocols: [...names].map((name) => defineProtocol({ name, handlers })),
      ...(pingS === undefined ? {} : { pingIntervalMs: pingS * 1000 }),
      onError: reject,
    })
  }

  #clientOptions(url: string): ClientOptions {
    const { header, protocol, origin, proxy, unix } = this.#values
    return {
      url,
      headers: Object.fromEntries(header),
      ...(protocol.length === 0 ? {} : { protocol: [...new Set(protocol)] }),
      ...(origin.length === 0 ? {} : { origin: origin.at(-1)! }),
      ...(proxy.length === 0 ? {} : { proxy: proxy.at(-1)! }),
      ...(unix.length === 0 ? {} : { socketPath: unix.at(-1)! }),
    }
  }

  #established(wsi: Wsi): void {
    this.#screen.note('connected; Ctrl-D closes')
    const { stdin, stdout } = process
    const terminal = this.#screen.isInteractive
    this.#lines = createInterface({
      input: stdin,
      ...(terminal ? { output: stdout, prompt: '> ' } : {}),
    })
    this.#screen.lines = this.#lines
    this.#lines.on('line', (line) => this.#send(wsi, line))
    this.#lines.on('close', () => void close(wsi, this.#closeCode))
    this.#lines.on('SIGINT', () => this.#interrupted())
    if (terminal) this.#lines.prompt()
  }

  #send(wsi: Wsi, line: string): void {
    // A reader that is slow holds up the lines, not the memory.
    if (write(wsi, line, this.#kind) === 'backpressure') {
      this.#lines?.pause()
      callbackOnWritable(getContext(wsi), wsi)
    }
    this.#screen.prompt()
  }

  /** The first time in order, the second at once. */
  #interrupted(): void {
    if (this.#wsi === undefined) return
    if (this.#lines === undefined || !close(this.#wsi, this.#closeCode)) hangup(this.#wsi)
  }

  #closed({ code, reason, initiator }: CloseInfo): number {
    const good = GOOD_CODES.has(code) || (initiator === 'application' && code === this.#closeCode)
    const words = `closed: ${code}${reason === '' ? '' : ` ${JSON.stringify(reason)}`}`
    if (good) this.#screen.note(words)
    else printError(`extpoll connect: ${words}`)
    return good ? 0 : 1
  }
}

/** Where messages go: a terminal, or whatever stdout is; a slow reader of that is waited for. */
class Screen {
  lines: Interface | undefined
  readonly isInteractive = process.stdin.isTTY && process.stdout.isTTY
  readonly #terminal = process.stdout.isTTY
  readonly #colors: boolean

  constructor(when: (typeof COLORS)[number]) {
    const wanted = this.#terminal && (process.env['NO_COLOR'] ?? '') === ''
    this.#colors = when === 'always' || (when === 'auto' && wanted)
  }

  message(data: Buffer, binary: boolean): void {
    const text = `${this.#paint(data.toString(), 36)}\n`
    if (!this.#terminal) process.stdout.write(binary ? data : text)
    else if (binary) this.#above(`< (${data.length} bytes) ${data.toString('hex')}`, 35)
    else this.#above(`< ${harmless(data.toString())}`, 36)
  }

  /** For people, and only where one looks. */
  note(words: string): void {
    if (this.#terminal) this.#above(harmless(words), 2)
  }

  prompt(): void {
    if (this.isInteractive) this.lines?.prompt()
  }

  /** Above the line that is being typed. */
  #above(line: string, color: number): void {
    const clear = this.isInteractive && this.lines !== undefined
    printLine(`${clear ? '\r\x1b[K' : ''}${this.#paint(line, color)}`)
    if (clear) this.lines?.prompt(true)
  }

  #paint(line: string, color: number): string {
    return this.#colors ? `\x1b[${color}m${line}\x1b[0m` : line
  }
}

/** Of two lines with one name the request would have the last alone. */
function repeatedName(headers: ReadonlyArray<readonly [string, string]>): string | undefined {
  const names = headers.map(([name]) => name)
  const isAgain = (name: string, at: number): boolean =>
    names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) < at
  return names.find(isAgain)
}

function help(): string {
  return [
    'Usage: extpoll connect [OPTION]... URL',
    '',
    'Sends each line of stdin as a message, and prints what comes: text as lines, binary messages',
    'as they are, in a terminal in hexadecimal. At the end of input it closes. The status is 0 for',
    'an orderly end, 1 for any other, and where no connection came about.',
    '',
    ...optionHelp(options),
  ].join('\n')
}
