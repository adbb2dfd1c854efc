/**
 * The server that hostile peers meet: echo on the epoll host, and a report of how everybody ended.
 *
 * The first argument is JSON: options of createContext. The first line on stdout tells that it
 * listens, and its port; each line on stdin is answered by one of JSON, a Report, of who ended
 * since the last. A message `give N` is answered by N bytes. Knows no attack.
 */
import { readSync, writeSync } from 'node:fs'
import { epollHost, run } from '../../integrations/epoll.js'
import { BINARY, createContext, defineProtocol, getListenAddress } from '../../src/index.js'
import { getSocketFd, isBinary, POLLIN, TEXT, write } from '../../src/index.js'
import type { CloseInfo, ContextOptions, Host, Wsi } from '../../src/index.js'

/** How one connection ended. */
export interface Ended {
  /** The target of its request, without the slash; '' where none came. */
  readonly name: string
  readonly cause: string
  readonly code: number
  /** What the kernel had taken for it when it first took less than it was offered. */
  readonly takenAtRefusal: number
  /** From the last byte that the kernel took to the end. */
  readonly stalledMs: number
}

export interface Report {
  readonly ended: readonly Ended[]
  readonly open: number
}

interface Session {
  readonly fd: number
  name: string
}

/** What the kernel took of one descriptor's bytes. */
interface Sent {
  bytes: number
  atRefusal: number
  lastMs: number
}

const MAX_GIFT_BYTES = 2 ** 20
const gift = Buffer.alloc(MAX_GIFT_BYTES, 0x67)
const sent = new Map<number, Sent>()
const ended: Ended[] = []
let open = 0

function note(fd: number, offered: number, result: number): number {
  const row = sent.get(fd)
  if (row === undefined) return result
  if (result > 0) {
    row.bytes += result
    row.lastMs = performance.now()
  }
  if (result < offered && row.atRefusal === 0) row.atRefusal = row.bytes
  return result
}

/** The same host, with a look at what its kernel takes. */
function watched(host: ReturnType<typeof epollHost>): Host {
  const { io } = host
  return {
    ...host,
    io: {
      ...io,
      send: (fd, from, offset, length) => note(fd, length, io.send(fd, from, offset, length)),
      sendEach(from, list, count) {
        io.sendEach!(from, list, count)
        const rows = new Int32Array(list.bytes.buffer, list.bytes.byteOffset, count * 4)
        for (let at = 0; at < rows.length; at += 4) note(rows[at]!, rows[at + 2]!, rows[at + 3]!)
      },
      sendv(fd, parts) {
        let offered = 0
        for (const part of parts) offered += part.length
        return note(fd, offered, io.sendv(fd, parts))
      },
    },
  }
}

function receive(wsi: Wsi, data: Buffer): void {
  const asked = data.length < 20 ? /^give (\d+)$/.exec(data.toString('latin1')) : null
  if (asked === null) write(wsi, data, isBinary(wsi) ? BINARY : TEXT)
  else write(wsi, gift.subarray(0, Number(asked[1])), BINARY)
}

function tell(session: Session | undefined, { cause, code }: CloseInfo): void {
  const row = session === undefined ? undefined : sent.get(session.fd)
  ended.push({
    name: session?.name ?? '',
    cause,
    code,
    takenAtRefusal: row?.atRefusal ?? 0,
    stalledMs: performance.now() - (row?.lastMs ?? 0),
  })
}

const protocol = defineProtocol<Session>({
  payload: 'view',
  createSession(wsi) {
    const fd = getSocketFd(wsi)
    sent.set(fd, { bytes: 0, atRefusal: 0, lastMs: performance.now() })
    return { fd, name: '' }
  },
  handlers: {
    ESTABLISHED(_wsi, { target }, session) {
      session.name = target.slice(1)
      open++
    },
    RECEIVE: receive,
    CLOSED(_wsi, info, session) {
      open--
      tell(session, info)
    },
    HTTP_CLOSED: (_wsi, info, session: Session | undefined) => tell(session, info),
  },
})

const host = epollHost()
const options = JSON.parse(process.argv[2] ?? '{}') as Partial<ContextOptions>
const where = options.path === undefined ? { port: 0 } : {}
const ctx = createContext({ ...where, ...options, host: watched(host), protocols: [protocol] })
say(String(getListenAddress(ctx)!.port))

/** The pipe takes as much as it has room for, and may have none for a moment. */
function say(line: string): void {
  let rest = Buffer.from(`${line}\n`)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as { code?: string }).code !== 'EAGAIN') throw error
    }
  }
}

/** Whoever started this went away: so does this. */
function answer(): void {
  if (readSync(0, Buffer.alloc(64)) === 0) process.exit(0)
  const report: Report = { ended: ended.splice(0), open }
  say(JSON.stringify(report))
}

host.poller.add(0, POLLIN, undefined, answer)
run(ctx)
