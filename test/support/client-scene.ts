/**
 * A checked context without a listener on a fake poller, whose protocol writes down what a client
 * hears; and servers in the test's hands.
 */
import assert from 'node:assert/strict'
import {
  clientConnect,
  type ClientOptions,
  type CloseInfo,
  type ConnectFailure,
  defineProtocol,
  type Handlers,
  isBinary,
  type ProtocolOptions,
  type UpgradeAnswer,
  type Wsi,
} from '../../src/index.js'
import type { ServerPeer } from '../../integrations/fake-poller.js'
import { type Harness, harness, type HarnessOptions } from './harness.js'
import { shown } from './wire-bytes.js'

export interface ClientSceneOptions {
  readonly context?: Partial<HarnessOptions> | undefined
  readonly handlers?: Handlers<undefined> | undefined
  readonly protocol?: Partial<ProtocolOptions<undefined>> | undefined
  /** Several protocols of these names, all alike. */
  readonly named?: readonly string[] | undefined
}

export interface ClientScene {
  readonly h: Harness
  /** `established`, `text "a"`, `binary 01`, `pong 68`, `writable`, `closed 1000 ...`. */
  readonly log: string[]
  readonly answers: UpgradeAnswer[]
  readonly ends: CloseInfo[]
  readonly failures: ConnectFailure[]
  /** Announcements: `ADD 4 fd 3`. */
  readonly told: string[]
  readonly errors: unknown[]
  /** Begins a connection, to 127.0.0.1:9000 unless told otherwise. */
  readonly connect: (options?: ClientOptions) => Wsi
  /** The one connection begun since the last look. */
  readonly dialled: () => ServerPeer
}

export const HERE: ClientOptions = { url: 'ws://127.0.0.1:9000/chat' }

export function clientScene(options: ClientSceneOptions = {}): ClientScene {
  const log: string[] = []
  const answers: UpgradeAnswer[] = []
  const ends: CloseInfo[] = []
  const failures: ConnectFailure[] = []
  const told: string[] = []
  const errors: unknown[] = []
  const protocol: ProtocolOptions<undefined> = {
    payload: 'view',
    ...options.protocol,
    handlers: {
      CLIENT_ESTABLISHED(_wsi, answer) {
        answers.push(answer)
        log.push('established')
      },
      CLIENT_CONNECTION_ERROR(_wsi, failure) {
        failures.push(failure)
        log.push(`error ${failure.cause}`)
      },
      CLIENT_RECEIVE: (wsi, data) =>
        void log.push(
          isBinary(wsi) ? shown('binary', data) : `text ${JSON.stringify(data.toString())}`,
        ),
      CLIENT_RECEIVE_PONG: (_wsi, data) => void log.push(shown('pong', data)),
      CLIENT_WRITEABLE: () => void log.push('writable'),
      CLOSED(_wsi, info) {
        ends.push(info)
        log.push(`closed ${info.code} ${info.cause}`)
      },
      ...options.handlers,
    },
  }
  const named = options.named?.map((name) => defineProtocol({ ...protocol, name }))
  const context: Partial<HarnessOptions> = {
    pingIntervalMs: 0,
    idleTimeoutMs: 0,
    protocols: named ?? [defineProtocol(protocol)],
    onError: (error) => void errors.push(error),
    on: {
      ADD_POLL_FD: (fd, events) => void told.push(`ADD ${events} fd ${fd}`),
      SET_MODE: (fd, events) => void told.push(`SET ${events} fd ${fd}`),
      CLEAR_MODE: (fd, events) => void told.push(`CLEAR ${events} fd ${fd}`),
      DEL_POLL_FD: (fd) => void told.push(`DEL fd ${fd}`),
    },
    ...options.context,
  }
  const h = harness({ ...context, listens: false } as HarnessOptions)
  return {
    h,
    log,
    answers,
    ends,
    failures,
    told,
    errors,
    connect: (wanted = HERE) => clientConnect(h.ctx, wanted),
    dialled() {
      const all = h.poller.dialled()
      assert.equal(all.length, 1, 'one connection was begun')
      return all[0]!
    },
  }
}

export interface OpenClient extends ClientScene {
  readonly server: ServerPeer
  readonly wsi: Wsi
}

/** The same with one connection that went through its handshake; the logs are empty. */
export function openClient(options: ClientSceneOptions = {}): OpenClient {
  const made = clientScene(options)
  const { wsi, server } = openOne(made)
  return { ...made, server, wsi }
}

/** One more connection that goes through its handshake. */
export function openOne(scene: ClientScene): { wsi: Wsi; server: ServerPeer } {
  const { h, log, told, errors } = scene
  const wsi = scene.connect()
  const server = scene.dialled()
  server.establish()
  h.run()
  assert.ok(server.request() !== undefined, 'it asked')
  server.send(server.accept())
  h.run()
  assert.deepEqual(log.splice(0), ['established'], errors.join())
  told.length = 0
  return { wsi, server }
}
