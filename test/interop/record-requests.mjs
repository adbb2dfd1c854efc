/**
 * Records requests of real clients into test/data/recorded-requests.json: run once, by hand, where
 * curl, wrk, nginx, chromium, python3-websockets and libwebsockets-test-server are installed.
 *
 *     node test/interop/record-requests.mjs
 *
 * Ports are written as 8080, so that a new recording changes only what clients changed.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import WebSocket from 'ws'
import { Recorder } from './recorder.mjs'

const run = promisify(execFile)
const target = fileURLToPath(new URL('../data/recorded-requests.json', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'extpoll-record-'))
const recorder = new Recorder()
const port = await recorder.listen()
const url = `http://127.0.0.1:${port}`
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Runs a client; what it makes of the answers is its own matter. */
async function client(name, what) {
  recorder.client = name
  try {
    await what()
  } catch (error) {
    console.log(`${name}: ${error.message.split('\n')[0]}`)
  }
  await pause(100)
}

async function curl() {
  const form = join(folder, 'form.txt')
  writeFileSync(form, 'a file of some lines\n'.repeat(20))
  const runs = [
    ['/'],
    ['-I', '/head'],
    ['-0', '/old'],
    ['-0', '-H', 'Connection: keep-alive', '/old-kept'],
    ['-d', 'a=1&b=two', '/form'],
    ['-H', 'Content-Type: application/json', '-d', '{"a":[1,2]}', '/json'],
    ['-T', form, '/put'],
    ['-T', '-', '/put-chunked'],
    ['-H', 'Expect: 100-continue', '--data-binary', `@${form}`, '/expect'],
    ['-F', `file=@${form}`, '-F', 'name=x', '/multipart'],
    ['-X', 'DELETE', '/thing/1'],
    ['-X', 'PATCH', '-d', 'x', '/thing/1'],
    ['-X', 'OPTIONS', '--request-target', '*', '/'],
    ['-r', '0-99,200-', '/range'],
    ['--compressed', '-e', 'http://example.org/', '-b', 'a=1; b=2', '/cookies'],
    ['-u', 'user:secret', '/secret'],
    ['-G', '--data-urlencode', 'q=ä & ö', '/search'],
    ['--path-as-is', '/a/../b/./c'],
    ['-z', '2020-01-01', '/if-modified'],
    ['-H', 'X-Empty;', '-H', 'Host: example.org:81', '/empty-field'],
    ['-H', 'Transfer-Encoding: chunked', '-d', 'chunk', '/chunked-post'],
  ]
  for (const options of runs) {
    const path = options.pop()
    await client('curl', async () => {
      const child = run('curl', ['-s', '-m', '5', ...options, url + path])
      if (options.includes('-')) child.child.stdin.end('from standard input\n'.repeat(3))
      await child
    })
  }
  await client('curl', () => run('curl', ['-s', '-m', '5', `${url}/first`, `${url}/second`]))
  await client('curl', () => run('curl', ['-s', '-m', '5', '-x', url, 'http://example.org/via?x']))
}

async function wrk() {
  const lua = join(folder, 'wrk.lua')
  const scripts = {
    plain: '',
    post: 'wrk.method = "POST"\nwrk.body = "a=1"\nwrk.headers["Content-Type"] = "text/plain"\n',
    pipeline:
      'request = function() return wrk.format("GET", "/one") .. wrk.format("HEAD", "/two") end\n',
    close: 'wrk.headers["Connection"] = "close"\n',
  }
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(lua, text)
    const before = recorder.requests.length
    await client('wrk', () => run('wrk', ['-t1', '-c1', '-d1s', '-s', lua, `${url}/wrk-${name}`]))
    recorder.requests.length = Math.min(recorder.requests.length, before + 2)
  }
}

async function nginx() {
  const front = port + 1
  const conf = join(folder, 'nginx.conf')
  writeFileSync(
    conf,
    `daemon off; pid ${folder}/pid; error_log ${folder}/error; worker_processes 1;
    events { worker_connections 64; }
    http { access_log off;
      client_body_temp_path ${folder}/1; proxy_temp_path ${folder}/2; fastcgi_temp_path ${folder}/3;
      uwsgi_temp_path ${folder}/4; scgi_temp_path ${folder}/5;
      upstream up { server 127.0.0.1:${port}; keepalive 2; }
      server { listen 127.0.0.1:${front};
        location / { proxy_pass http://127.0.0.1:${port}; }
        location /kept { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header Host $host; }
        location /stream { proxy_pass http://up; proxy_http_version 1.1;
          proxy_request_buffering off; }
        location /ws { proxy_pass http://up; proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; } } }`,
  )
  const server = spawn('nginx', ['-p', folder, '-c', conf, '-g', 'user root;'], {
    stdio: 'inherit',
  })
  await pause(1_000)
  const at = `http://127.0.0.1:${front}`
  const through = (...options) => client('nginx', () => run('curl', ['-s', '-m', '5', ...options]))
  await through(`${at}/default`)
  await through('-d', 'a=1', `${at}/default-post`)
  await through(`${at}/kept?x=1`, `${at}/kept-again`)
  await through('-d', 'a=1', `${at}/kept-post`)
  await through('-H', 'Transfer-Encoding: chunked', '-d', 'chunk', `${at}/stream`)
  await through('-I', `${at}/kept-head`)
  await client('nginx', () => webSocket(`ws://127.0.0.1:${front}/ws`))
  server.kill()
}

/** Its handshake is refused, which is all that is wanted. */
function webSocket(address, ...rest) {
  return new Promise((resolve) => {
    const socket = new WebSocket(address, ...rest)
    socket.on('error', resolve)
    socket.on('open', resolve)
  })
}

async function ws() {
  const at = `ws://127.0.0.1:${port}`
  await client('ws', () => webSocket(`${at}/plain`))
  await client('ws', () => webSocket(`${at}/protocols`, ['chat', 'superchat']))
  await client('ws', () => webSocket(`${at}/no-deflate`, { perMessageDeflate: false }))
  await client('ws', () =>
    webSocket(`${at}/fields`, {
      origin: 'http://127.0.0.1',
      headers: { Cookie: 'a=1', 'X-A': 'b' },
    }),
  )
}

async function python() {
  const program = `
import http.client, urllib.request, asyncio, io
c = http.client.HTTPConnection('127.0.0.1', ${port})
c.request('GET', '/python'); c.getresponse().read()
c.request('POST', '/python-post', body='hello', headers={'Content-Type': 'text/plain'})
c.getresponse().read()
c.request('PUT', '/python-chunks', body=iter([b'one', b'two']), encode_chunked=True,
  headers={'Transfer-Encoding': 'chunked'})
c.getresponse().read()
urllib.request.urlopen('${url}/urllib?a=b').read()
urllib.request.urlopen('${url}/urllib-post', data=b'x=1').read()
import websockets
async def ask():
  try: await websockets.connect('ws://127.0.0.1:${port}/websockets', subprotocols=['chat'])
  except Exception: pass
asyncio.run(ask())
`
  await client('Python', () => run('/usr/bin/python3', ['-c', program]))
}

async function libwebsockets() {
  await client('libwebsockets', () =>
    run('timeout', ['3', 'libwebsockets-test-client', '127.0.0.1', '-p', String(port)]),
  )
}

async function browser() {
  const instance = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  })
  await client('Chromium', async () => {
    const page = await instance.newPage()
    await page.goto(`${url}/`)
    await page.evaluate(async (address) => {
      const quiet = (promise) => promise.catch(() => {})
      await quiet(fetch('/fetch?a=b', { headers: { 'X-A': 'ä'.normalize('NFD').slice(0, 1) } }))
      await quiet(fetch('/json', { method: 'POST', body: JSON.stringify({ a: 1 }) }))
      const form = new FormData()
      form.append('file', new Blob(['a file']), 'a.txt')
      await quiet(fetch('/multipart', { method: 'POST', body: form }))
      await quiet(fetch('/put', { method: 'PUT', body: new Uint8Array([0, 1, 2, 255]) }))
      await quiet(fetch('/gone', { method: 'DELETE' }))
      await quiet(fetch('/head', { method: 'HEAD' }))
      await quiet(fetch('/range', { headers: { Range: 'bytes=0-10' } }))
      await quiet(
        fetch(`${address.replace('127.0.0.1', 'localhost')}/cors`, {
          method: 'PUT',
          headers: { 'X-Custom': 'y' },
        }),
      )
      navigator.sendBeacon('/beacon', 'bye')
      const ended = (target) =>
        new Promise((resolve) => {
          target.onerror = resolve
          setTimeout(resolve, 1_000)
        })
      await ended(new EventSource('/events'))
      await ended(new WebSocket(`${address.replace('http', 'ws')}/socket`, ['chat']))
    }, url)
    await page.setContent(
      `<form method=post action="${url}/form"><input name=a value="ä b"></form>`,
    )
    await page.evaluate(() => document.forms[0].submit())
    await pause(1_000)
  })
  await instance.close()
}

await curl()
await wrk()
await nginx()
await ws()
await python()
await libwebsockets()
await browser()
recorder.close()
rmSync(folder, { recursive: true })
const ports = new RegExp(`\\b(?:${port}|${port + 1})\\b`, 'g')
const recorded = recorder.requests.map(({ client: by, bytes }) => ({
  client: by,
  // The length of a body may count the digits of a port: only heads are changed.
  bytes: bytes.replace(/^[^]*?\r\n\r\n/, (head) => head.replace(ports, '8080')),
}))
writeFileSync(target, `${JSON.stringify(recorded, null, 1)}\n`)
console.log(`${recorded.length} requests in test/data/recorded-requests.json`)
process.exit()
