/**
 * A line for each request, in the combined log format that log readers know.
 *
 * What came from a peer is escaped as nginx does it: no quote, no control character, no byte that a
 * terminal could act on. Source: Apache's mod_log_config, "Combined Log Format".
 */
import { faults, getPeerAddresses, getSocketFd } from '../../src/index.js'
import type {
  CloseInfo,
  Context,
  HttpRequest,
  HttpResult,
  RequestHead,
  Wsi,
} from '../../src/index.js'

/** What is known of a connection between a request and its line. */
export interface Visit {
  readonly address: string
  /** The request that has no line yet. */
  request: RequestHead | null
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/** The status of an answer that the peer did not wait for, as nginx writes it. */
const PEER_LEFT = 499

export class AccessLog {
  /** Whose connections they are: known as soon as there is one. */
  context: Context | undefined

  constructor(private readonly print: (line: string) => void) {}

  visit(wsi: Wsi): Visit {
    const { address } = getPeerAddresses(this.context!, getSocketFd(wsi))
    return { address: address === '' ? '-' : address, request: null }
  }

  asked(visit: Visit, request: HttpRequest): void {
    visit.request = request
  }

  completed(visit: Visit, { request, status, bytes }: HttpResult): void {
    visit.request = null
    this.line(visit, request, status, String(bytes))
  }

  upgraded(visit: Visit, request: RequestHead): void {
    visit.request = null
    this.line(visit, request, 101, '-')
  }

  /** Something was asked for and not answered whole, or not even understood. */
  closed(visit: Visit, { cause }: CloseInfo): void {
    const { status } = faults[cause] as { readonly status?: number }
    if (visit.request === null && status === undefined) return
    this.line(visit, visit.request, status ?? PEER_LEFT, '-')
  }

  private line(
    { address }: Pick<Visit, 'address'>,
    request: RequestHead | null,
    status: number,
    bytes: string,
  ): void {
    const field = (name: string): string => quoted(request?.headers.get(name) ?? '-')
    const first =
      request === null ? '-' : `${request.method} ${request.target} HTTP/1.${request.minorVersion}`
    const told = [field('referer'), field('user-agent')].join(' ')
    this.print(
      `${address} - - [${logTime(new Date())}] ${quoted(first)} ${status} ${bytes} ${told}`,
    )
  }
}

/** In quotes, and everything in it printable ASCII. */
export function quoted(text: string): string {
  const escaped = text.replace(
    /[^\x20-\x7e]|["\\]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
  return `"${escaped}"`
}

/** `23/Nov/2026:14:03:00 +0000` */
function logTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]!}/${date.getUTCFullYear()}`
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  return `${day}:${time} +0000`
}
