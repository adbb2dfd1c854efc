/**
 * `serveHttpFile`: a file beneath a root as the answer to the request in hand.
 *
 * Finds and opens the file, and chooses; what to answer is planned in http/file-answer.ts, and its
 * bytes move in http/file-source.ts. That nothing outside of the root is opened is the kernel's to
 * see to. Source: RFC 9110; the seed's libwebsockets_serve_http_file.
 */
import { type Connection, type Core } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { connectionOf, enter, leave, ownerOf } from '../context/bracket.js'
import { type FaultName, faults, lookAt, UsageError } from '../errors.js'
import { answerFrom, answerWhole } from '../http/answer.js'
import { acceptedCodings } from '../http/content-coding.js'
import { contentTypeOf } from '../http/content-type.js'
import { type FileAnswer, type FileRequest, planFileAnswer } from '../http/file-answer.js'
import { type FileIo, FileSource } from '../http/file-source.js'
import { gather } from '../http/gather.js'
import { namesDotFile, pathOfTarget } from '../http/target-path.js'
import { Errno } from '../poll/libuv-types.js'
import { type HttpRequest, type Wsi } from '../protocol/protocol-types.js'
import { type FileInfo } from '../socket/socket-io.js'
import { type AnswerHeaders, checkField, headerRows } from '../wire/http-answer.js'

/** What `serveHttpFile` may serve, and how. */
export interface ServeFileOptions {
  /** The folder that nothing served lies outside of: links that lead out of it are refused. */
  readonly root: string
  /** Serve what begins with a dot, or lies in a folder that does. Default false: 404. */
  readonly dotFiles?: boolean
  /**
   * What answers for a directory: `'index.html'`. The address of one without a slash behind is
   * redirected then. Absent: a directory is no file (404).
   */
  readonly index?: string
  /**
   * Where the client takes it, `app.js.br` or `app.js.gz` answers for `app.js`, if it lies beside
   * it. Default false.
   */
  readonly precompressed?: boolean
  /** More headers of an answer that has the file, or 304: Cache-Control for instance. */
  readonly headers?: AnswerHeaders
  /** Where the answer would be 404, answer nothing: the caller does. Default false. */
  readonly fallthrough?: boolean
}

/** What tells of the file, and of nothing else. */
const OWNED = new Set([
  'accept-ranges',
  'content-encoding',
  'content-range',
  'content-type',
  'etag',
  'last-modified',
])

const MAX_PATH_BYTES = 4_095

/** What a failed open answers; for whatever is not here, FILE_UNREADABLE. */
const OPEN_FAULTS: ReadonlyMap<number, FaultName> = new Map([
  [Errno.ENOENT, 'FILE_ABSENT'],
  [Errno.ENOTDIR, 'FILE_ABSENT'],
  [Errno.ENAMETOOLONG, 'FILE_ABSENT'],
  [Errno.EACCES, 'FILE_FORBIDDEN'],
  [Errno.EPERM, 'FILE_FORBIDDEN'],
  // Out of the root, by `..` or a link; a link of /proc; a socket or a device without a driver.
  [Errno.EXDEV, 'FILE_FORBIDDEN'],
  [Errno.ELOOP, 'FILE_FORBIDDEN'],
  [Errno.ENXIO, 'FILE_FORBIDDEN'],
  [Errno.EMFILE, 'FILE_SHORTAGE'],
  [Errno.ENFILE, 'FILE_SHORTAGE'],
  [Errno.ENOMEM, 'FILE_SHORTAGE'],
])

interface OpenFile {
  readonly fileFd: number
  readonly info: FileInfo
  readonly coding: string | null
}

/**
 * Answers the request of HTTP with a file, during the callback or later, as `httpRespond` does:
 * conditional requests, ranges and HEAD are understood, the connection is kept, and HTTP_COMPLETE
 * follows. What cannot be served is answered as well, with a status and a sentence. A large file
 * goes out piece by piece as the peer takes it, in constant memory; one that becomes shorter
 * meanwhile ends its connection.
 *
 * Opening a file, and reading what is not in the page cache, is the one thing of this library that
 * waits for a disk.
 *
 * @param file beneath `root`, a path and no URL: `pathOfTarget(request.target)`. null: 400
 * @param contentType absent: by the extension of the name
 * @returns the status answered; with `fallthrough`, 404 for what was not; 0 where there is no
 *   request to answer (any more)
 * @throws UsageError ERR_EXTPOLL_NO_FILES on a host without files; ERR_EXTPOLL_FILE_OPTION,
 *   ERR_EXTPOLL_HTTP_HEADER for options that cannot be; nothing was sent then
 * @see seed: libwebsockets_serve_http_file; RFC 9110 13, 14
 *
 * @example
 * HTTP: (wsi, { target }) => {
 *   serveHttpFile(wsi, pathOfTarget(target), undefined, { root: '/srv/www', index: 'index.html' })
 * }
 */
export function serveHttpFile(
  wsi: Wsi,
  file: string | null,
  contentType: string | undefined,
  options: ServeFileOptions,
): number {
  const connection = connectionOf(wsi, 'serveHttpFile')
  const core = ownerOf(connection)
  const wanted = 'serveHttpFile() takes { root, ... }, an object that can be read'
  const given = lookAt('ERR_EXTPOLL_FILE_OPTION', wanted, () => copyOf(options))
  checkOptions(file, contentType, given)
  if (connection.http?.status !== 0 || connection.state !== State.HTTP || core.destroyWanted)
    return 0
  const io = filesOf(connection)
  let status = 0
  enter(core, 'serveHttpFile', connection.fd, file, given)
  try {
    status = serve(core, connection, io, file, contentType, given)
  } finally {
    leave(core, 'serveHttpFile', status)
  }
  return status
}

/** Read once, so that nothing the caller does to it meanwhile matters. */
function copyOf(options: ServeFileOptions): ServeFileOptions {
  const { headers = {}, ...others } = options
  return { ...others, headers: new Map(headerRows(headers)) }
}

function checkOptions(
  file: unknown,
  contentType: unknown,
  { root, index, headers = {} }: ServeFileOptions,
): void {
  const refuse = (why: string): never => {
    throw new UsageError('ERR_EXTPOLL_FILE_OPTION', `serveHttpFile(): ${why}`)
  }
  if (file !== null && typeof file !== 'string')
    refuse('the file must be a path, as pathOfTarget() answers')
  if (contentType !== undefined && !isLine(contentType))
    refuse('the content type must be one line of ASCII text')
  if (typeof root !== 'string' || root === '' || root.includes('\0'))
    refuse('root must be the path of a folder')
  if (index !== undefined && !(typeof index === 'string' && /^[^/\0]+$/.test(index)))
    refuse('index must be the name of a file')
  for (const [name, value] of headers as ReadonlyMap<string, unknown>) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) checkField(name, one)
    if (OWNED.has(name.toLowerCase())) refuse(`${name} is told of the file itself`)
  }
}

function isLine(value: unknown): boolean {
  return typeof value === 'string' && /^[\t\x20-\x7e]+$/.test(value)
}

function filesOf({ io }: Connection): FileIo {
  if (io.openFile !== undefined && io.fileInfo !== undefined && io.readFile && io.closeFile)
    return io as FileIo
  throw new UsageError(
    'ERR_EXTPOLL_NO_FILES',
    'serveHttpFile(): this host has no files; use epollHost(), or read the file yourself and ' +
      'answer with httpRespond()',
  )
}

/** @returns the status answered */
function serve(
  core: Core,
  connection: Connection,
  io: FileIo,
  file: string | null,
  contentType: string | undefined,
  options: ServeFileOptions,
): number {
  const { request } = connection.http!
  const path = file === null || !/(?:^|\/)$/.test(file) ? file : `${file}${options.index ?? ''}`
  const refusal = refusalOf(request, path, options)
  const opened = refusal ?? openRegular(io, options.root, path!)
  if (typeof opened === 'string') return refuse(core, connection, opened, options)
  const chosen =
    options.precompressed === true ? choose(io, request, path!, opened, options) : opened
  const plan = planFileAnswer({
    method: request.method as FileRequest['method'],
    headers: request.headers,
    file: chosen.info,
    contentType: contentType ?? contentTypeOf(path!),
    coding: chosen.coding,
    varies: options.precompressed === true,
    nowMs: core.wallClock(),
    maxRanges: core.limits.maxRanges,
    makeBoundary: () => boundary(core),
  })
  answer(core, connection, io, chosen.fileFd, plan, options)
  return plan.status
}

/** What can be told without a look at the disk. */
function refusalOf(
  { method }: HttpRequest,
  path: string | null,
  { dotFiles }: ServeFileOptions,
): FaultName | null {
  if (path === null || path.includes('\0')) return 'FILE_TARGET'
  if (method !== 'GET' && method !== 'HEAD') return 'FILE_METHOD'
  if (dotFiles !== true && namesDotFile(path)) return 'FILE_ABSENT'
  // Also a directory's: '' and `a/` name none.
  return /(?:^|\/)$/.test(path) || Buffer.byteLength(path) > MAX_PATH_BYTES ? 'FILE_ABSENT' : null
}

/** Opens what is a regular file; whatever else is there is closed again, unread. */
function openRegular(io: FileIo, root: string, path: string): OpenFile | FaultName {
  const fileFd = io.openFile(root, path)
  if (fileFd < 0) return OPEN_FAULTS.get(-fileFd) ?? 'FILE_UNREADABLE'
  const info = io.fileInfo(fileFd)
  if (typeof info === 'object' && info.regular) return { fileFd, info, coding: null }
  io.closeFile(fileFd)
  if (typeof info === 'number') return 'FILE_UNREADABLE'
  return info.directory ? 'FILE_MOVED' : 'FILE_FORBIDDEN'
}

/** A compressed sibling in the place of the file, where there is one that the client takes. */
function choose(
  io: FileIo,
  { headers }: HttpRequest,
  path: string,
  plain: OpenFile,
  { root }: ServeFileOptions,
): OpenFile {
  for (const { name, suffix } of acceptedCodings(headers.get('accept-encoding'))) {
    const sibling = openRegular(io, root, `${path}${suffix}`)
    if (typeof sibling === 'string') continue
    io.closeFile(plain.fileFd)
    return { ...sibling, coding: name }
  }
  return plain
}

/** Answers as planned; the file is the answer's from here on. */
function answer(
  core: Core,
  connection: Connection,
  io: FileIo,
  fileFd: number,
  plan: FileAnswer,
  options: ServeFileOptions,
): void {
  const { status, fields, pieces, bodyBytes } = plan
  if (status === 412 || status === 416) {
    io.closeFile(fileFd)
    tell(core, connection, status === 412 ? 'FILE_CHANGED' : 'FILE_RANGE', fields)
    return
  }
  const start = { status, headers: withMore(fields, options.headers ?? {}) }
  if (status === 304) {
    io.closeFile(fileFd)
    answerWhole(core, connection, start, '')
    return
  }
  // What fits into the cork leaves with its head, and needs the file no longer.
  const isSmall = bodyBytes <= core.limits.corkMaxBytes && !connection.http!.omitsBody
  const whole = isSmall ? gather(core, io, fileFd, pieces) : null
  if (whole === null)
    answerFrom(
      core,
      connection,
      start,
      bodyBytes,
      new FileSource(core, connection, io, fileFd, pieces),
    )
  else {
    io.closeFile(fileFd)
    answerWhole(core, connection, start, whole)
  }
}

/** The application's headers behind ours; what it says that answers vary by comes beside that. */
function withMore(fields: ReadonlyMap<string, string>, more: AnswerHeaders): AnswerHeaders {
  const headers = new Map<string, string | readonly string[]>(fields)
  for (const [name, value] of headerRows(more)) {
    const varies = name.toLowerCase() === 'vary' ? fields.get('Vary') : undefined
    if (varies === undefined) headers.set(name, value)
    else headers.set('Vary', [varies, value].flat().join(', '))
  }
  return headers
}

/** @returns the status answered, or not */
function refuse(
  core: Core,
  connection: Connection,
  cause: FaultName,
  options: ServeFileOptions,
): number {
  if (cause === 'FILE_MOVED') {
    const address = options.index === undefined ? null : slashed(connection.http!.request.target)
    if (address !== null) return tell(core, connection, cause, new Map([['Location', address]]))
    return refuse(core, connection, 'FILE_ABSENT', options)
  }
  if (cause === 'FILE_ABSENT' && options.fallthrough === true) return 404
  const fields = cause === 'FILE_METHOD' ? new Map([['Allow', 'GET, HEAD']]) : new Map()
  return tell(core, connection, cause, fields as ReadonlyMap<string, string>)
}

/** Answers with a sentence, and keeps the connection. */
function tell(
  core: Core,
  connection: Connection,
  cause: FaultName,
  fields: ReadonlyMap<string, string>,
): number {
  const { status = 500, sentence } = faults[cause]
  const headers = new Map([...fields, ['Content-Type', 'text/plain; charset=utf-8']])
  answerWhole(core, connection, { status, headers }, `${sentence}\n`)
  return status
}

/** The same address with a slash behind its path: never one that names another host. */
function slashed(target: string): string | null {
  const path = pathOfTarget(target)
  if (path === null || path.endsWith('/')) return null
  const [, encoded = '', query = ''] = /^(?:https?:\/\/[^/?#]*)?\/*([^?]*)(.*)$/i.exec(target) ?? []
  return `/${encoded}/${query}`
}

/** 100 bits of chance: no file has it in it. */
function boundary(core: Core): string {
  let text = 'part'
  for (let count = 0; count < 4; count++)
    text += Math.floor(core.randomFraction() * 2 ** 26)
      .toString(36)
      .padStart(6, '0')
  return text
}
