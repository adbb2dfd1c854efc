/**
 * The page and its three companions, read once at start and answered from memory.
 *
 * GET of exactly these; 404 for everything else. Nothing on the page may come from elsewhere or be
 * written inline: the Content-Security-Policy says so. Knows nothing of what the page does.
 */
import { readFileSync } from 'node:fs'
import { httpRespond } from 'extpoll'
import type { HttpAnswer, RequestHead, Wsi } from 'extpoll'

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
}

const TEXT_TYPE = 'text/plain; charset=utf-8'

/** Target -> file and its type. */
const files = [
  ['/', 'page.html', 'text/html; charset=utf-8'],
  ['/style.css', 'style.css', 'text/css; charset=utf-8'],
  ['/chat.js', 'chat.js', 'text/javascript; charset=utf-8'],
  ['/poll-set.js', 'poll-set.js', 'text/javascript; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
] as const

/** The HTTP handler of the context's first protocol. */
export function pageHandler(): (wsi: Wsi, request: RequestHead) => void {
  const answers = new Map<string, HttpAnswer>()
  for (const [target, file, type] of files) {
    const body = readFileSync(new URL(`page/${file}`, import.meta.url))
    answers.set(target, { status: 200, headers: { ...HEADERS, 'Content-Type': type }, body })
  }
  return (wsi, { method, target }) => {
    const answer = answers.get(target.split('?', 1)[0]!)
    if (answer === undefined) httpRespond(wsi, plain(404, 'There is no such page.\n'))
    else if (method !== 'GET') httpRespond(wsi, plain(405, 'GET it.\n', { Allow: 'GET' }))
    else httpRespond(wsi, answer)
  }
}

function plain(status: number, body: string, more: Record<string, string> = {}): HttpAnswer {
  return { status, headers: { ...HEADERS, 'Content-Type': TEXT_TYPE, ...more }, body }
}
