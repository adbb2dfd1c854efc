/**
 * A process that makes a context with gid and uid, in its main thread or in a worker, and prints
 * what became of it: `{ error?, ids, regained, listens }`.
 *
 * argv: main | worker, id. Loads all it needs before it gives its rights away.
 */
import { writeSync } from 'node:fs'
import { Worker, isMainThread } from 'node:worker_threads'
import { rawHost } from '../../integrations/epoll.js'
import { createContext, defineProtocol, getListenAddress } from '../../src/index.js'

const [where, idText] = process.argv.slice(2)

function report(): void {
  const id = Number(idText)
  let error: string | undefined
  const live = new Set<number>()
  try {
    const ctx = createContext({
      host: rawHost(),
      port: 0,
      gid: id,
      uid: id,
      protocols: [defineProtocol({ handlers: {} })],
      on: {
        ADD_POLL_FD: (fd) => void live.add(fd),
        DEL_POLL_FD: (fd) => void live.delete(fd),
        SET_MODE() {},
        CLEAR_MODE() {},
      },
    })
    if (getListenAddress(ctx) === null) live.clear()
  } catch (thrown) {
    error = (thrown as { code?: string }).code ?? String(thrown)
  }
  const { getuid, geteuid, getgid, getegid, getgroups } = process
  const ids = [getuid!(), geteuid!(), getgid!(), getegid!(), ...getgroups!()]
  writeSync(1, JSON.stringify({ error, ids, regained: regained(), listens: live.size === 1 }))
}

function regained(): boolean {
  try {
    process.setuid?.(0)
    return true
  } catch {
    return false
  }
}

if (where === 'main' || !isMainThread) report()
else {
  // A worker does not inherit tsx on Node 20.
  const code = `import('tsx/esm/api').then(({ register }) => {
    register()
    return import(${JSON.stringify(import.meta.url)})
  })`
  new Worker(code, { eval: true, argv: ['worker', idText] })
}
