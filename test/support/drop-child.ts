/**
 * A process, or a worker, that gives up its rights in one way, by name, and tells what became of
 * it: an Outcome, as JSON or as a message. Loads all it needs before.
 */
import { readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { epollHost } from '../../integrations/epoll.js'
import { contextDestroy, createContext, defineProtocol, getListenAddress } from '../../src/index.js'
import type { Context, ContextOptions } from '../../src/index.js'

export interface Outcome {
  /** `code` of what createContext threw. */
  readonly error?: string
  /** Real, effective, saved, and of the file system. */
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  /** Names of what was tried to get rights back, and worked. */
  readonly regained: readonly string[]
  /** A descriptor listens. */
  readonly listens: boolean
  /** Descriptors that createContext left behind. */
  readonly fdsLeft: number
}

const [mode = '', idText] = process.argv.slice(2)
const id = Number(idText)
const host = epollHost()
const base = { host, port: 0, protocols: [defineProtocol({ handlers: {} })] }

function idsOf(name: 'Uid' | 'Gid' | 'Groups'): number[] {
  const line = new RegExp(`^${name}:(.*)$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  return (line?.[1] ?? '').trim().split(/\s+/).filter(Boolean).map(Number)
}

/** Has this process a listening socket, by the kernel's own table? */
function listens(): boolean {
  const inodes = new Set(readdirSync('/proc/self/fd').map(inodeOf))
  const rows = readFileSync('/proc/self/net/tcp', 'utf8').split('\n').slice(1)
  return rows.some((row) => {
    const fields = row.trim().split(/\s+/)
    return fields[3] === '0A' && inodes.has(fields[9] ?? '')
  })
}

function inodeOf(fd: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? 'none'
  } catch {
    // The descriptor of this very look at the folder.
    return 'none'
  }
}

function openFds(): number {
  return readdirSync('/proc/self/fd').length
}

/** Every way back that a process has. */
function regained(): string[] {
  const ways: Readonly<Record<string, () => void>> = {
    setuid: () => process.setuid!(0),
    seteuid: () => process.seteuid!(0),
    setgid: () => process.setgid!(0),
    setegid: () => process.setegid!(0),
    setgroups: () => process.setgroups!([0]),
    shadow: () => readFileSync('/etc/shadow'),
  }
  return Object.entries(ways).flatMap(([name, attempt]) => {
    try {
      attempt()
      return [name]
    } catch {
      return []
    }
  })
}

const modes: Readonly<Record<string, () => Partial<ContextOptions>>> = {
  both: () => ({ gid: id, uid: id }),
  gid: () => ({ gid: id }),
  uid: () => ({ uid: id }),
  /** Groups that must go. */
  groups() {
    process.setgroups!([0, 4, 24])
    return { gid: id, uid: id }
  },
  /** Somebody who may not become anybody else. */
  refused() {
    process.setgroups!([id])
    process.setgid!(id)
    process.setuid!(id)
    return { gid: 0, uid: 0 }
  },
  /** The same where the group can be had and the user cannot. */
  'refused user'() {
    process.setgroups!([id])
    process.setgid!(id)
    process.setuid!(id)
    return { gid: id, uid: 0 }
  },
  /** The listener fails first: nothing is given up. */
  'no listener': () => ({ gid: id, uid: id, address: '192.0.2.1' }),
}

const options = modes[mode]!()
const before = openFds()
let ctx: Context | undefined
let error: string | undefined
try {
  ctx = createContext({ ...base, ...options })
  if (getListenAddress(ctx) === null) error = 'no address'
} catch (thrown) {
  error = (thrown as { code?: string }).code ?? String(thrown)
}
const outcome: Outcome = {
  ...(error === undefined ? {} : { error }),
  uids: idsOf('Uid'),
  gids: idsOf('Gid'),
  groups: idsOf('Groups'),
  listens: listens(),
  fdsLeft: openFds() - before,
  regained: regained(),
}
if (ctx !== undefined) contextDestroy(ctx)
if (parentPort === null) writeSync(1, JSON.stringify(outcome))
else parentPort.postMessage(outcome)
