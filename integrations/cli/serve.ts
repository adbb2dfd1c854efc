/**
 * `extpoll serve DIR`: a folder over HTTP, with lists of what lies in it, a line for each request,
 * and a WebSocket echo beside it.
 *
 * Files are serveHttpFile's; lists are folder-page.ts's, lines access-log.ts's. Nothing of a peer
 * or of a name on disk reaches a page, or the log, unescaped.
 */
import { openSync, closeSync, constants } from 'node:fs'
import {
  BINARY,
  createContext,
  defineProtocol,
  getListenAddress,
  httpRespond,
  isBinary,
  limits,
  pathOfTarget,
  serveHttpFile,
  TEXT,
  write,
} from '../../src/index.js'
import type { Handlers, ProtocolDefinition, ServeFileOptions, Wsi } from '../../src/index.js'
import { AccessLog } from './access-log.js'
import type { Visit } from './access-log.js'
import { CommandError } from './command.js'
import type { Command } from './command.js'
import { filterPath } from './echo.js'
import { listFolder } from './folder-page.js'
import { hosts } from './hosts.js'
import { tellListening } from './listening.js'
import { flag, ipAddress, oneOf, optionHelp, parseOptions, wholeNumber } from './options.js'
import { printError, printLine } from './print.js'
import { keepYoungGenerationSmall } from './heap.js'

const DEFAULT_ADDRESS = '127.0.0.1'
const DEFAULT_PORT = 8080
/** Those that have files. */
const HOSTS = ['epoll', 'epoll-uv'] as const
const ECHO_PATH = '/echo'
const INDEX = 'index.html'
/** The longest list of the longest names, all of them escaped. */
const MAX_PAGE_BYTES = 2 ** 24
const PLAIN_TEXT = { 'Content-Type': 'text/plain; charset=utf-8' }
/** For files as for lists: what an extension says is what it is. */
const NO_SNIFFING = { 'X-Content-Type-Options': 'nosniff' }

const options = {
  folder: {
    placeholder: 'DIR',
    about: 'what to serve, with everything beneath it',
    allowed: 'a folder that can be read',
    read: (text: string) => (isFolder(text) ? text : undefined),
    form: 'operand',
  },
  host: oneOf('HOST', `what waits and moves bytes: ${HOSTS.join(', ')}`, HOSTS),
  address: ipAddress('A', `where to listen, IPv4 or IPv6; default ${DEFAULT_ADDRESS}`),
  port: wholeNumber('N', `0 takes any free one; default ${DEFAULT_PORT}`, 0, 65_535),
  'dot-files': flag('serve what begins with a dot, too; default: it is not there'),
} as const

export const serve: Command = {
  summary: 'serve a folder, and a WebSocket echo',
  async run(argv) {
    const values = parseOptions(options, argv)
    if (values === 'help') {
      printLine(help())
      return 0
    }
    const root = values.folder.at(-1)
    if (root === undefined || values.folder.length > 1)
      throw new CommandError('give one folder to serve: extpoll serve DIR; --help tells more')
    keepYoungGenerationSmall()
    const open = hosts[values.host.at(-1) ?? HOSTS[0]]()
    try {
      const dotFiles = values['dot-files'].length > 0
      const log = new AccessLog(printLine)
      const ctx = createContext({
        host: open.host,
        address: values.address.at(-1) ?? DEFAULT_ADDRESS,
        port: values.port.at(-1) ?? DEFAULT_PORT,
        protocols: [folderProtocol({ root, dotFiles, index: INDEX, precompressed: true }, log)],
        maxBufferedBytes: Math.max(limits.maxBufferedBytes.default, MAX_PAGE_BYTES),
        onError: (error) => printError(`extpoll serve: ${String(error)}`),
      })
      log.context = ctx
      tellListening('http', getListenAddress(ctx)!)
      await open.serveUntilSignal(ctx)
    } finally {
      open.close()
    }
    return 0
  },
}

function folderProtocol(files: ServeFileOptions, log: AccessLog): ProtocolDefinition<Visit> {
  const handlers: Handlers<Visit> = {
    HTTP(wsi, request, visit) {
      log.asked(visit, request)
      answer(wsi, request.target, files)
    },
    HTTP_COMPLETE: (_wsi, result, visit) => {
      log.completed(visit, result)
    },
    HTTP_CLOSED: (wsi, info, visit) => {
      log.closed(visit ?? log.visit(wsi), info)
    },
    FILTER_PROTOCOL_CONNECTION: (_wsi, request) => filterPath(request, ECHO_PATH),
    ESTABLISHED: (_wsi, request, visit) => {
      log.upgraded(visit, request)
    },
    RECEIVE: (wsi, data) => void write(wsi, data, isBinary(wsi) ? BINARY : TEXT),
  }
  return defineProtocol({
    name: '',
    createSession: (wsi) => log.visit(wsi),
    payload: 'view',
    handlers,
  })
}

function answer(wsi: Wsi, target: string, files: ServeFileOptions): void {
  const path = pathOfTarget(target)
  const more = { fallthrough: true, headers: NO_SNIFFING }
  const status = serveHttpFile(wsi, path, undefined, { ...files, ...more })
  if (status !== 404 || path === null) return
  const page = /(?:^|\/)$/.test(path) ? listFolder(path, files) : null
  const headers = { ...(page?.headers ?? PLAIN_TEXT), ...NO_SNIFFING }
  const body = page?.body ?? 'There is no such file.\n'
  httpRespond(wsi, { status: page === null ? 404 : 200, headers, body })
}

function isFolder(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY))
    return true
  } catch {
    return false
  }
}

function help(): string {
  return [
    'Usage: extpoll serve DIR [OPTION]...',
    '',
    'Prints `listening on http://ADDRESS:PORT` once it accepts, and a line for each request in the',
    'combined log format. index.html answers for its folder, else a list of what is there; name.br',
    `and name.gz answer for name where the client takes them. WebSockets at ${ECHO_PATH} get every`,
    'message back. Until SIGINT or SIGTERM: then every peer gets 1001, and the status is 0.',
    '',
    ...optionHelp(options),
  ].join('\n')
}
