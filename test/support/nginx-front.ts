/** Debian's nginx in front of a port, with kept connections to it. Knows no request. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { temporaryFolder } from './epoll-addon.js'

const NGINX = '/usr/sbin/nginx'
const START_MS = 10_000

/** Why there is none; undefined where there is. */
export function lacksNginx(): string | undefined {
  return existsSync(NGINX) ? undefined : `left out: there is no ${NGINX} (Debian: nginx-light)`
}

export class NginxFront {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
    private readonly removeFolder: () => void,
  ) {}

  /** @param upstreamPort where it passes everything on, over `keepalive` connections at most */
  static async start(upstreamPort: number, keepalive: number): Promise<NginxFront> {
    const { path, remove } = temporaryFolder()
    const port = await freePort()
    const conf = join(path, 'nginx.conf')
    writeFileSync(conf, configuration(path, port, upstreamPort, keepalive))
    const root = process.getuid?.() === 0 ? ['-g', 'user root;'] : []
    const child = spawn(NGINX, ['-p', path, '-c', conf, ...root], { stdio: 'ignore' })
    await answering(port)
    return new NginxFront(port, child, remove)
  }

  async stop(): Promise<void> {
    this.child.kill('SIGQUIT')
    this.child.kill('SIGTERM')
    if (this.child.exitCode === null) await once(this.child, 'exit')
    this.removeFolder()
  }
}

function configuration(
  path: string,
  port: number,
  upstreamPort: number,
  keepalive: number,
): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${path}/${name};`)
    .join(' ')
  return `daemon off; worker_processes 1; pid ${path}/pid; error_log ${path}/error;
    events { worker_connections 512; }
    http { access_log off; ${temporary} keepalive_requests 1000000;
      upstream extpoll { server 127.0.0.1:${upstreamPort}; keepalive ${keepalive};
        keepalive_requests 1000000; }
      server { listen 127.0.0.1:${port}; location / { proxy_pass http://extpoll;
        proxy_http_version 1.1; proxy_set_header Connection ""; proxy_next_upstream off; } } }`
}

/** One that nobody listens on, as far as can be known. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answering(port: number): Promise<void> {
  for (const endMs = Date.now() + START_MS; ;) {
    const socket = connect(port, '127.0.0.1')
    const open = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    })
    socket.destroy()
    if (open) return
    if (Date.now() > endMs) throw new Error(`nginx does not answer on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
