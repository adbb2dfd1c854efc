/**
 * A short life of a context on a fake poller, as its two digests. Run with `print` it prints them:
 * the same in every process, under every version of Node.
 */
import { fakePoller } from '../../integrations/fake-poller.js'
import { broadcast, close, contextDestroy, createContext, defineProtocol } from '../../src/index.js'
import { BINARY, digest, eventDigest, write } from '../../src/index.js'

export function digestsOfScene(): string {
  const echo = defineProtocol({
    name: '',
    handlers: {
      RECEIVE: (wsi, data) => void write(wsi, data, BINARY),
      BROADCAST: (wsi) => void close(wsi, 4000, 'told'),
    },
  })
  const poller = fakePoller()
  const ctx = createContext({ host: poller.host, port: 0, protocols: [echo], digest: true })
  const peers = [1, 2, 3].map(() => poller.connectTo(ctx).upgrade())
  poller.run(ctx)
  for (const peer of peers) peer.sendMessage('žluťoučký kůň')
  poller.runFor(ctx, 60_000)
  peers[0]!.reset()
  poller.run(ctx)
  broadcast(ctx.protocols[0]!, 'the end')
  poller.run(ctx)
  contextDestroy(ctx)
  return `${digest(ctx)} ${eventDigest(ctx)}`
}

if (process.argv[2] === 'print') process.stdout.write(digestsOfScene())
