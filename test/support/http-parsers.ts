/**
 * What three parsers make of the same bytes: whole requests, and how it went on. Ours is the whole
 * library on a fake poller; Node's is the one behind its http module.
 */
import { createRequire } from 'node:module'
import { type CloseInfo, defineProtocol, httpRespond, isFinalFragment } from '../../src/index.js'
import { harness } from './harness.js'

export interface ParsedRequest {
  readonly method: string
  readonly target: string
  readonly minorVersion: number
  /** Names in lower case, repeated values joined with ', '. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Parsed {
  readonly requests: readonly ParsedRequest[]
  /** What ended it; '' where it waits for more. */
  readonly end: string
}

export type Parser = (bytes: Buffer) => Parsed

/** @param limits of the context */
export function ourParser(limits: Readonly<Record<string, number>> = {}): Parser {
  let requests: ParsedRequest[] = []
  let end: CloseInfo | null = null
  interface Upload {
    head: Omit<ParsedRequest, 'body'>
    body: string
  }
  const protocol = defineProtocol<Upload>({
    createSession: () => ({
      head: { method: '', target: '', minorVersion: 1, headers: {} },
      body: '',
    }),
    handlers: {
      HTTP(wsi, { method, target, minorVersion, headers, bodyBytes }, upload) {
        upload.head = { method, target, minorVersion, headers: Object.fromEntries(headers) }
        upload.body = ''
        if (bodyBytes !== 0) return
        requests.push({ ...upload.head, body: '' })
        httpRespond(wsi, { status: 204 })
      },
      HTTP_BODY(wsi, data, upload) {
        upload.body += data.toString('latin1')
        if (!isFinalFragment(wsi)) return
        requests.push({ ...upload.head, body: upload.body })
        httpRespond(wsi, { status: 204 })
      },
      HTTP_CLOSED: (_wsi, info) => void (end = info),
    },
  })
  const h = harness({ protocols: [protocol], ...limits })
  return (bytes) => {
    requests = []
    end = null
    const peer = h.connect()
    peer.send(bytes)
    h.run()
    // What was refused lingers, and what waits for more is cut short: both tell their end now.
    const refused = peer.ended
    peer.end()
    h.run()
    return { requests, end: refused ? ((end as CloseInfo | null)?.cause ?? 'unknown') : '' }
  }
}

interface RawParser {
  execute(bytes: Buffer): number | Error
  [callback: number]: (...args: never[]) => unknown
}

interface RawParserClass {
  new (type?: unknown): RawParser & { initialize?(type: unknown, resource: object): void }
  readonly REQUEST: unknown
  encoding?: string
  readonly methods: readonly string[]
  readonly kOnHeaders: number
  readonly kOnHeadersComplete: number
  readonly kOnBody: number
  readonly kOnMessageComplete: number
}

const load = createRequire(import.meta.url)

/** Node's own, which has no public name of its own. */
export function nodeParser(): Parser {
  const { HTTPParser, methods } = load('_http_common') as {
    HTTPParser: RawParserClass
    methods: readonly string[]
  }
  return (bytes) => {
    const parser = new HTTPParser()
    parser.initialize?.(HTTPParser.REQUEST, {})
    return collect(HTTPParser, parser, methods, bytes)
  }
}

export function scriptParser(): Parser {
  const { HTTPParser } = load('http-parser-js') as { HTTPParser: RawParserClass }
  // Whoever asks for this wants the callbacks of today.
  Reflect.get(HTTPParser, 'kOnExecute')
  HTTPParser.encoding = 'latin1'
  return (bytes) =>
    collect(HTTPParser, new HTTPParser(HTTPParser.REQUEST), HTTPParser.methods, bytes)
}

function collect(
  names: RawParserClass,
  parser: RawParser,
  methods: readonly string[],
  bytes: Buffer,
): Parsed {
  const requests: ParsedRequest[] = []
  let fields: string[] = []
  let url = ''
  let body = ''
  let head: Omit<ParsedRequest, 'body'> | null = null
  const on = parser as unknown as Record<number, (...args: never[]) => unknown>
  on[names.kOnHeaders] = (more: string[], part: string) => {
    fields.push(...more)
    url += part
  }
  on[names.kOnHeadersComplete] = (
    _major: number,
    minorVersion: number,
    list: string[] | undefined,
    method: number,
    target: string | undefined,
  ) => {
    const headers = fieldsOf(list ?? fields)
    head = { method: methods[method] ?? '', target: target ?? url, minorVersion, headers }
    return 0
  }
  on[names.kOnBody] = (piece: Buffer, offset?: number, length?: number) => {
    // http-parser-js gives the whole buffer, and where in it.
    const end = offset === undefined ? undefined : offset + length!
    body += Buffer.from(piece).subarray(offset, end).toString('latin1')
  }
  on[names.kOnMessageComplete] = () => {
    requests.push({ ...head!, body })
    fields = []
    url = body = ''
  }
  let result: unknown
  try {
    result = parser.execute(bytes)
  } catch (error) {
    result = error
  }
  return { requests, end: result instanceof Error ? result.message : '' }
}

function fieldsOf(list: readonly string[]): Record<string, string> {
  const headers = new Map<string, string>()
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index]!.toLowerCase()
    const value = list[index + 1]!.replace(/^[\t ]+|[\t ]+$/g, '')
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  // A field may be called __proto__.
  return Object.fromEntries(headers)
}
