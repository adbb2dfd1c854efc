/**
 * The page and its companions, read once at start and answered from memory.
 *
 * GET of exactly these; 404 for everything else, 421 under another name than the server's. Nothing
 * on the page may come from elsewhere, be written inline, or be made of text that is parsed: the
 * Content-Security-Policy says so. Knows nothing of what the page does.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { httpRespond } from 'extpoll'
import type { HttpAnswer, RequestHead, Wsi } from 'extpoll'
import { MISDIRECTED } from './site-names.js'

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
}

const TEXT_TYPE = 'text/plain; charset=utf-8'

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** Each is found under its own name, the page itself under `/`. */
const PAGE = 'page.html'

/**
 * The HTTP handler of the context's first protocol.
 * @param isOurs whether a request came under a name of this server
 * @param onRequest hears what is asked for
 */
export function pageHandler(
  isOurs: (request: RequestHead) => boolean,
  onRequest: (wsi: Wsi, request: RequestHead) => void,
): (wsi: Wsi, request: RequestHead) => void {
  const answers = answersFrom(new URL('page/', import.meta.url))
  return (wsi, request) => {
    onRequest(wsi, request)
    const { method, target } = request
    const answer = answers.get(target.split('?', 1)[0]!)
    if (!isOurs(request)) httpRespond(wsi, MISDIRECTED)
    else if (answer === undefined) httpRespond(wsi, plain(404, 'There is no such page.\n'))
    else if (method !== 'GET') httpRespond(wsi, plain(405, 'GET it.\n', { Allow: 'GET' }))
    else httpRespond(wsi, answer)
  }
}

function answersFrom(folder: URL): ReadonlyMap<string, HttpAnswer> {
  const answers = new Map<string, HttpAnswer>()
  for (const file of readdirSync(folder)) {
    const type = TYPES[file.slice(file.lastIndexOf('.') + 1)]
    if (type === undefined) continue
    const body = readFileSync(new URL(file, folder))
    const headers = { ...HEADERS, 'Content-Type': type }
    answers.set(file === PAGE ? '/' : `/${file}`, { status: 200, headers, body })
  }
  return answers
}

function plain(status: number, body: string, more: Record<string, string> = {}): HttpAnswer {
  return { status, headers: { ...HEADERS, 'Content-Type': TEXT_TYPE, ...more }, body }
}
