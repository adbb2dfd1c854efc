/** Servers of other makers, each on a port of its own, for as long as a function takes. */
import { execFile, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer, type ServerOptions } from 'ws'
import { temporaryFolder } from './epoll-addon.js'

const PATIENCE_MS = 5_000

/** An echo by `ws`. */
export async function withWs<T>(
  use: (port: number) => Promise<T>,
  options: ServerOptions = {},
): Promise<T> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options })
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer, binary) => socket.send(data, { binary }))
  })
  await once(server, 'listening')
  try {
    return await use((server.address() as AddressInfo).port)
  } finally {
    for (const socket of server.clients) socket.terminate()
    server.close()
  }
}

/** An echo by Python's websockets, which knows the subprotocol `chat`. */
export async function withPython<T>(use: (port: number) => Promise<T>): Promise<T> {
  const script = [
    'import asyncio, websockets',
    'async def echo(ws, *_):',
    '    async for m in ws: await ws.send(m)',
    'async def main():',
    '    async with websockets.serve(echo, "127.0.0.1", 0, subprotocols=["chat"]) as s:',
    '        print(s.sockets[0].getsockname()[1], flush=True)',
    '        await asyncio.Future()',
    'asyncio.run(main())',
  ].join('\n')
  return withChild(execFile('/usr/bin/python3', ['-c', script]), async (child) => {
    const [text] = (await Promise.race([
      once(child.stdout!, 'data'),
      once(child, 'exit').then(() => [Promise.reject(new Error('python3 has no websockets'))]),
    ])) as [string]
    return use(Number(text))
  })
}

/** libwebsockets' test server: `lws-mirror-protocol` sends what it gets to all, sender included. */
export async function withLibwebsockets<T>(use: (port: number) => Promise<T>): Promise<T> {
  const port = await freePort()
  const child = execFile('libwebsockets-test-server', ['--port', String(port), '-d', '0'])
  return withChild(child, async () => {
    await listens(port)
    return use(port)
  })
}

/** nginx in front of a server: `proxy_pass`, with the upgrade handed on. */
export async function withNginx<T>(behind: number, use: (port: number) => Promise<T>): Promise<T> {
  const folder = temporaryFolder()
  const port = await freePort()
  const file = join(folder.path, 'nginx.conf')
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder.path, name)};`)
    .join(' ')
  writeFileSync(
    file,
    `daemon off; pid ${join(folder.path, 'pid')}; error_log stderr; events {}
    http { access_log off; ${folders} server { listen 127.0.0.1:${port}; location / {
      proxy_pass http://127.0.0.1:${behind}; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; } } }`,
  )
  const child = execFile('/usr/sbin/nginx', ['-p', folder.path, '-c', file, '-e', 'stderr'])
  try {
    return await withChild(child, async () => {
      await listens(port)
      return use(port)
    })
  } finally {
    folder.remove()
  }
}

async function withChild<T>(
  child: ChildProcess,
  use: (child: ChildProcess) => Promise<T>,
): Promise<T> {
  const exit = once(child, 'exit')
  try {
    return await use(child)
  } finally {
    // nginx's master ends its workers with it.
    child.kill('SIGTERM')
    await exit
  }
}

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function listens(port: number): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  while (performance.now() < endMs) {
    const socket = connect(port, '127.0.0.1')
    const reached = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (reached) return
    await sleep(20)
  }
  throw new Error(`nobody listens on port ${port}`)
}
