// What a process leaves open: sockets, eventfds, epoll sets, folders and spares that were not there
// when it loaded the addon. Imported first by every process under `make sanitize`; adds a line to
// the file EXTPOLL_OPEN_AT_END for each process that leaves some. Mocha requires it, too.
//
// A thread that ends beside others leaves its descriptors to the process, which tells at its end.
// A process that is told to exit in the middle of its work has a right to open descriptors: it says
// so beforehand: `process.env.EXTPOLL_LEAVES_OPEN = 'why'`.
import { appendFileSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

const KINDS = /^(?:socket:|anon_inode:\[(?:eventfd|eventpoll)\]|\/dev\/null$)/

const isOurs = (target) => KINDS.test(target) || statSync(target).isDirectory()

function open() {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return Number(fd) > 2 && isOurs(target) ? [`${fd} ${target}`] : []
    } catch {
      return []
    }
  })
}

/** Taken late: what runs TypeScript has threads and children of its own, there by now. */
let before
const left = () => (before === undefined ? [] : open().filter((line) => !before.includes(line)))

const { dlopen } = process
process.dlopen = (...args) => {
  // libuv keeps a spare of its own from the first stream on.
  if (before === undefined) void [process.stdout, process.stderr]
  if (/extpoll\.node$/.test(args[1])) before ??= open()
  return dlopen.apply(process, args)
}

/** What the tests closed in this very turn Node closes in the next; what is collected, later. */
export const mochaHooks = {
  async afterAll() {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc')
    for (let tries = 0; tries < 50 && left().length > 0; tries++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  },
}

if (isMainThread) {
  process.on('exit', () => {
    if (process.env.EXTPOLL_LEAVES_OPEN || left().length === 0) return
    const program = process.argv.slice(1).join(' ')
    appendFileSync(
      process.env.EXTPOLL_OPEN_AT_END,
      `left open: ${left().join(', ')} by ${program}\n`,
    )
  })
}
