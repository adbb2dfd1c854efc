/** Requests over HTTP that nobody answers unless the test does, and a log of what was told. */
import {
  defineProtocol,
  isFinalFragment,
  type CloseInfo,
  type Handlers,
  type HttpResult,
  type Wsi,
} from '../../src/index.js'
import { type Harness, type HarnessOptions, harness } from './harness.js'
import { parseAnswers } from './http-answers.js'

export const GET = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n'

export const post = (length: number, more = ''): string =>
  `POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${more}\r\n`

export const statuses = (sent: Buffer): number[] => parseAnswers(sent).map(({ status }) => status)

export interface HttpScene {
  readonly h: Harness
  readonly asked: Wsi[]
  readonly log: string[]
  readonly ends: CloseInfo[]
  readonly results: HttpResult[]
  readonly errors: unknown[]
}

export function httpScene(
  handlers: Handlers<undefined> = {},
  context: Partial<HarnessOptions> = {},
): HttpScene {
  const asked: Wsi[] = []
  const log: string[] = []
  const ends: CloseInfo[] = []
  const results: HttpResult[] = []
  const errors: unknown[] = []
  const protocol = defineProtocol({
    handlers: {
      RECEIVE: (_wsi, data) => void log.push(`text ${data.toString()}`),
      HTTP(wsi, { target }) {
        asked.push(wsi)
        log.push(`http ${target}`)
      },
      HTTP_BODY: (wsi, data) =>
        void log.push(`body ${data.toString()}${isFinalFragment(wsi) ? '.' : ''}`),
      HTTP_COMPLETE(_wsi, result) {
        results.push(result)
        log.push(`complete ${result.status}`)
      },
      HTTP_CLOSED(_wsi, info) {
        ends.push(info)
        log.push(`closed ${info.cause}`)
      },
      ...handlers,
    },
  })
  const h = harness({
    pingIntervalMs: 0,
    idleTimeoutMs: 0,
    protocols: [protocol],
    onError: (error) => void errors.push(error),
    ...context,
  })
  return { h, asked, log, ends, results, errors }
}
