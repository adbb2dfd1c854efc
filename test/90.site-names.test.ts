/** The names the demo answers to, as browsers write them: no server is started. */
import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import type { RequestHead } from 'extpoll'
import { isLoopback, siteNames } from '../examples/nginx-like/site-names.js'

describe("90 the demo's names", () => {
  it('are those that browsers send, however they were typed', () => {
    const names: [host: string, address: string, sent: string][] = [
      ['0:0:0:0:0:0:0:0', '0:0:0:0:0:0:0:0', hostname().toUpperCase()],
      ['2001:DB8:0:0::1', '2001:DB8:0:0::1', '[2001:db8::1]:80'],
      ['Bücher.example', '192.0.2.1', 'xn--bcher-kva.example'],
      ['Bücher.example', '192.0.2.1', '192.0.2.1:8080'],
      ['fe80::1%eth0', 'fe80::1%eth0', 'localhost'],
    ]
    for (const [host, address, sent] of names) {
      const headers = new Map([['host', sent]])
      const request = { headers, repeated: new Set() } as unknown as RequestHead
      assert.ok(siteNames(host, address)(request), `${host} as ${sent}`)
    }
  })

  it('tells addresses of this machine alone from others', () => {
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', '0::1', '::ffff:127.0.0.1'])
      assert.ok(isLoopback(address), address)
    for (const address of ['0.0.0.0', '::', '192.0.2.1', '12.7.0.0', '2001:db8::1', 'fe80::1%eth0'])
      assert.ok(!isLoopback(address), address)
  })
})
