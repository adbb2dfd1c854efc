// A user's program in strict TypeScript. In a project of ES modules it is one; in one of CommonJS
// its imports become `require`. Who starts it connects to the port it tells, and ends it by a line.
import {
  contextDestroy,
  createContext,
  defineProtocol,
  getListenAddress,
  TEXT,
  write,
} from 'extpoll'
import { checked, fakePoller } from 'extpoll/fake-poller'
import { epollHost, type EpollHost } from 'extpoll/epoll'

const echo = defineProtocol({
  name: 'echo',
  createSession: () => ({ messages: 0 }),
  handlers: {
    RECEIVE(wsi, data, session) {
      session.messages++
      write(wsi, `${session.messages} ${data.toString()}`, TEXT)
    },
  },
})

const poller = fakePoller()
const inMemory = createContext({ host: checked(poller.host), port: 1, protocols: [echo] })
const peer = poller.connectTo(inMemory).upgrade({ protocols: ['echo'] })
peer.sendMessage('in memory')
poller.run(inMemory)
const messages: readonly unknown[] = peer.messages()
console.log(messages[0])

const host: EpollHost = epollHost({ loop: 'node' })
const ctx = createContext({ host, port: 0, protocols: [echo] })
console.log(getListenAddress(ctx)?.port)
process.stdin.once('data', () => {
  contextDestroy(ctx)
  host.poller.close()
  process.stdin.destroy()
})
