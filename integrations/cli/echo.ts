/**
 * `extpoll echo`: a server that sends every message back, to try a client against or to measure.
 *
 * Its RECEIVE is the whole of the library's hot path and nothing else; hosts and their loops are in
 * hosts.ts, options in options.ts.
 */
import {
  ACCEPT,
  BINARY,
  contextDestroy,
  createContext,
  getListenAddress,
  isBinary,
  limits,
  pollFds,
  Reason,
  TEXT,
  write,
} from '../../src/index.js'
import type {
  ContextOptions,
  FilterAnswer,
  ProtocolCallback,
  ProtocolDefinition,
  UpgradeRequest,
} from '../../src/index.js'
import { epollHost } from '../epoll.js'
import { CommandError } from './command.js'
import type { Command } from './command.js'
import { keepYoungGenerationSmall } from './heap.js'
import { hostNames, hosts, hostsForWorkers } from './hosts.js'
import type { HostName } from './hosts.js'
import { tellListening } from './listening.js'
import { ipAddress, oneOf, optionHelp, parseOptions, wholeNumber } from './options.js'
import type { OptionValues } from './options.js'
import { printError, printLine } from './print.js'
import { startWorkers } from './workers.js'

const DEFAULT_ADDRESS = '127.0.0.1'
const DEFAULT_PORT = 9000
/** What comes back waits in the send queue, whose own limit this must stay below. */
const MAX_MESSAGE_BYTES = 2 ** 29
/** Room in that queue beside one message: what the high-water mark lets in, and headers. */
const QUEUE_ROOM_BYTES = 2 ** 20

/** Each is a JavaScript engine of its own; more than a machine has cores gains nothing. */
const MAX_WORKERS = 256

const PAYLOADS = ['view', 'copy'] as const

const options = {
  host: oneOf('HOST', `what waits and moves bytes: ${hostNames.join(', ')}`, hostNames),
  address: ipAddress('A', `where to listen, IPv4 or IPv6; default ${DEFAULT_ADDRESS}`),
  port: wholeNumber('N', `0 takes any free one; default ${DEFAULT_PORT}`, 0, 65_535),
  path: {
    placeholder: 'P',
    about: 'WebSockets only at this path, 404 elsewhere; default: at any',
    allowed: "a path that begins with '/' and has neither '?' nor '#'",
    read: (text: string) => (/^\/[^?#\s]*$/.test(text) ? text : undefined),
  },
  protocol: {
    placeholder: 'NAME',
    about: 'a subprotocol to speak; may be repeated; default: none is asked for',
    allowed: 'letters, digits and -._~ without spaces or commas',
    read: (text: string) => (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text) ? text : undefined),
  },
  'max-message': wholeNumber(
    'BYTES',
    `a longer message ends its connection with 1009; default ${limits.maxMessageBytes.default}`,
    1,
    MAX_MESSAGE_BYTES,
  ),
  workers: wholeNumber(
    'N',
    'threads that share the port, each with limits of its own; default 1: the main thread',
    1,
    MAX_WORKERS,
  ),
  payload: oneOf('KIND', `what RECEIVE is given: ${PAYLOADS.join(' or ')}; default view`, PAYLOADS),
}

export const echo: Command = {
  summary: 'send every message back',
  async run(argv) {
    const values = parseOptions(options, argv)
    if (values === 'help') {
      printLine(help())
      return 0
    }
    const workers = values.workers.at(-1) ?? 1
    await (workers === 1 ? serveHere(values) : serveInWorkers(values, argv, workers))
    return 0
  },
}

type EchoValues = OptionValues<typeof options>

async function serveHere(values: EchoValues): Promise<void> {
  const open = hosts[hostOf(values)]()
  open.tuneHeap()
  try {
    const { port, ...context } = contextOptions(values)
    const address = values.address.at(-1) ?? DEFAULT_ADDRESS
    const listens = open.listen === undefined ? { address, port } : {}
    const ctx = createContext({ host: open.host, ...context, ...listens })
    const at = (await open.listen?.(ctx, address, port)) ?? getListenAddress(ctx)!
    tellListening('ws', at)
    await open.serveUntilSignal(ctx)
  } finally {
    open.close()
  }
}

async function serveInWorkers(
  values: EchoValues,
  argv: readonly string[],
  count: number,
): Promise<void> {
  if (!hostsForWorkers.includes(hostOf(values)))
    throw new CommandError(`--workers needs --host ${hostsForWorkers.join(' or ')}`)
  keepYoungGenerationSmall()
  // It holds the listener, so that the workers can have copies; nobody services it.
  const address = values.address.at(-1) ?? DEFAULT_ADDRESS
  const holder = createContext({ host: epollHost(), ...contextOptions(values), address })
  const script = new URL('./echo-worker.js', import.meta.url)
  const workers = startWorkers(script, argv, pollFds(holder)[0]!.fd, count)
  try {
    await workers.ready
    tellListening('ws', getListenAddress(holder)!)
  } finally {
    contextDestroy(holder)
  }
  await workers.ended
}

/** What a worker makes of the command line, which was looked at before. */
export function configure(argv: readonly string[]): {
  host: HostName
  options: EchoOptions
} {
  const values = parseOptions(options, argv)
  if (values === 'help') throw new TypeError('a worker has no help')
  return { host: hostOf(values), options: contextOptions(values) }
}

function hostOf(values: EchoValues): HostName {
  return values.host.at(-1) ?? hostNames[0]!
}

type EchoOptions = Omit<ContextOptions, 'host' | 'port'> & { readonly port: number }

function contextOptions(values: EchoValues): EchoOptions {
  const maxMessageBytes = values['max-message'].at(-1) ?? limits.maxMessageBytes.default
  const names = [...new Set(values.protocol)]
  const payload = values.payload.at(-1) ?? 'view'
  const callback = echoAt(values.path.at(-1))
  return {
    port: values.port.at(-1) ?? DEFAULT_PORT,
    protocols: (names.length === 0 ? [''] : names).map((name) => ({
      ...protocolOf(name, callback),
      payload,
    })),
    // Who was told of no subprotocol has no reason to refuse one.
    unknownProtocol: names.length === 0 ? 'accept' : 'refuse',
    // A tool for trying things out, pages from anywhere included; it holds nothing to protect.
    allowedOrigins: 'any',
    maxMessageBytes,
    maxBufferedBytes: Math.max(limits.maxBufferedBytes.default, maxMessageBytes + QUEUE_ROOM_BYTES),
    maxContextBufferedBytes: Math.max(limits.maxContextBufferedBytes.default, 4 * maxMessageBytes),
    onError: (error) => printError(`extpoll echo: ${String(error)}`),
  }
}

function protocolOf(name: string, callback: ProtocolCallback): ProtocolDefinition {
  // Plain requests are not heard of, so that the library answers them with 426.
  const hears = new Set([Reason.RECEIVE, Reason.FILTER_PROTOCOL_CONNECTION])
  return { name, callback, hears, onFull: 'close' }
}

function echoAt(path: string | undefined): ProtocolCallback {
  return (_ctx, wsi, reason, _user, data, _len) => {
    switch (reason) {
      case Reason.RECEIVE:
        write(wsi, data, isBinary(wsi) ? BINARY : TEXT)
        return
      case Reason.FILTER_PROTOCOL_CONNECTION:
        return path === undefined ? ACCEPT : filterPath(data, path)
      default:
        return
    }
  }
}

/** The WebSockets of a server are at one path. */
export function filterPath({ target }: UpgradeRequest, path: string): FilterAnswer {
  if (target.split('?', 1)[0] === path) return ACCEPT
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' }
  return { status: 404, headers, body: `WebSockets are at ${path} here.\n` }
}

function help(): string {
  return [
    'Usage: extpoll echo [OPTION]...',
    '',
    'Prints `listening on ws://ADDRESS:PORT` once it accepts, and sends text and binary messages',
    'back until SIGINT or SIGTERM: then every peer gets 1001, and the status is 0.',
    '',
    ...optionHelp(options),
  ].join('\n')
}
