/**
 * A context that serves the fake poller's files, and a client that asks for them: what the tests of
 * serveHttpFile begin with. Every answer is read strictly: one head, and as many bytes as it tells.
 */
import assert from 'node:assert/strict'
import {
  type CloseInfo,
  defineProtocol,
  type Handlers,
  type HttpResult,
  pathOfTarget,
  serveHttpFile,
  type ServeFileOptions,
  type Wsi,
} from '../../src/index.js'
import { type FakeFiles, type WsPeer } from '../../integrations/fake-poller.js'
import { type Harness, harness, type HarnessOptions } from './harness.js'

export const ROOT = '/srv/www'
/** Long before the fake poller's wall clock, so that entity tags are strong ones. */
export const MODIFIED_MS = Date.UTC(2001, 0, 1, 12, 0, 0)

export interface FileAnswerRead {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

export interface FileScene {
  readonly h: Harness
  readonly files: FakeFiles
  /** What serveHttpFile answered, in order. */
  readonly statuses: number[]
  readonly results: HttpResult[]
  readonly ends: CloseInfo[]
  readonly errors: unknown[]
  readonly wsis: Wsi[]
  /** Asks on a new connection, or one that is kept. */
  readonly ask: (
    target: string,
    headers?: Record<string, string>,
    more?: AskOptions,
  ) => FileAnswerRead
  /** Descriptors of files that are open. */
  readonly openFiles: () => number
}

export interface AskOptions {
  readonly method?: string
  readonly peer?: WsPeer
}

export interface FileSceneOptions {
  readonly serve?: Partial<ServeFileOptions>
  readonly contentType?: string
  readonly handlers?: Handlers<undefined>
  readonly context?: Partial<HarnessOptions>
}

/** Serves ROOT, which holds what each of the tests puts there. */
export function fileScene(options: FileSceneOptions = {}): FileScene {
  const statuses: number[] = []
  const results: HttpResult[] = []
  const ends: CloseInfo[] = []
  const errors: unknown[] = []
  const wsis: Wsi[] = []
  const protocol = defineProtocol({
    name: '',
    handlers: {
      HTTP(wsi, { target }) {
        wsis.push(wsi)
        const path = pathOfTarget(target)
        const serve = { root: ROOT, ...options.serve }
        statuses.push(serveHttpFile(wsi, path, options.contentType, serve))
      },
      HTTP_COMPLETE: (_wsi, result) => void results.push(result),
      HTTP_CLOSED: (_wsi, info) => void ends.push(info),
      ...options.handlers,
    },
  })
  const h = harness({
    protocols: [protocol],
    onError: (error) => void errors.push(error),
    ...options.context,
  })
  const { files } = h.poller
  files.put(`${ROOT}/.keep`, '')
  const ask: FileScene['ask'] = (target, headers = {}, { method = 'GET', peer } = {}) => {
    const from = peer ?? h.connect()
    from.send(requestText(method, target, headers))
    h.run()
    return readAnswer(from, method)
  }
  // What is open and not waited for (C1): files never are.
  const openFiles = (): number =>
    h.poller.openFds.filter((fd) => h.poller.maskOf(fd) === undefined).length
  return { h, files, statuses, results, ends, errors, wsis, ask, openFiles }
}

export function requestText(
  method: string,
  target: string,
  headers: Record<string, string> = {},
): string {
  const lines = Object.entries({ Host: 'files.example', ...headers })
  return `${method} ${target} HTTP/1.1\r\n${lines.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`
}

/** The one answer that has arrived. */
export function readAnswer(peer: WsPeer, method = 'GET'): FileAnswerRead {
  return splitAnswer(peer.take(), method)
}

/** @throws AssertionError where it is not one answer, whole */
export function splitAnswer(bytes: Buffer, method: string): FileAnswerRead {
  const headEnd = bytes.indexOf('\r\n\r\n')
  assert.ok(headEnd > 0, `no answer: ${bytes.toString('latin1', 0, 200)}`)
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) [A-Z]/.exec(statusLine)?.[1])
  assert.ok(status > 0, statusLine)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [name = '', value = ''] = line.split(/: (.*)/s)
    assert.ok(!headers.has(name.toLowerCase()), `${name} came twice`)
    headers.set(name.toLowerCase(), value)
  }
  const body = bytes.subarray(headEnd + 4)
  const told = method === 'HEAD' || status === 304 ? 0 : Number(headers.get('content-length'))
  assert.equal(body.length, told, 'as many bytes as the head tells')
  return { status, headers, body }
}
