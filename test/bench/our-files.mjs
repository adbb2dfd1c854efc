/*
 * Our server of files, as an application writes it: the epoll host, and serveHttpFile for every
 * request. Knows the public package only.
 */
import {
  createContext,
  defineProtocol,
  getListenAddress,
  pathOfTarget,
  serveHttpFile,
} from '../../dist/src/index.js'
import { epollHost, run } from '../../dist/integrations/epoll.js'

const root = process.argv[2]
const files = defineProtocol({
  name: '',
  handlers: {
    HTTP: (wsi, { target }) => {
      serveHttpFile(wsi, pathOfTarget(target), undefined, { root })
    },
  },
})
const ctx = createContext({ host: epollHost(), port: 0, protocols: [files] })
console.log(`listening on http://127.0.0.1:${getListenAddress(ctx).port}`)
run(ctx)
