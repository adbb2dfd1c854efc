/**
 * The demo's page in Chromium, and a crowd of members that makes its poll set large.
 *
 * A page of each size and colour scheme. Knows no checks.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { BrowserContext, Page } from 'playwright-core'
import type { Demo } from './demo.js'

export type Scheme = 'light' | 'dark'

/** A tab of the demo, and what its console said that it should not have. */
export class Tab {
  readonly page: Page
  readonly complaints: string[] = []

  private constructor(page: Page) {
    this.page = page
    page.on('console', (message) => this.complaints.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', (error) => this.complaints.push(error.message))
    page.on('requestfailed', (request) => this.complaints.push(`failed: ${request.url()}`))
  }

  /** Opens it, and waits until it knows its descriptor and the poll set. */
  static async open(browser: BrowserContext, demo: Demo): Promise<Tab> {
    const tab = new Tab(await browser.newPage())
    await tab.page.goto(demo.url)
    await tab.page.getByText(/^you are fd \d+$/).waitFor()
    await tab.page.getByText(/^\d+ descriptors$/).waitFor()
    return tab
  }

  async rename(name: string): Promise<void> {
    await this.page.getByLabel('Your name').fill(name)
    await this.page.getByRole('button', { name: 'Change' }).click()
    await this.page.getByRole('cell', { name: `chat: ${name} (this tab)` }).waitFor()
  }

  async scheme(colorScheme: Scheme, width: number): Promise<void> {
    await this.page.emulateMedia({ colorScheme })
    await this.page.setViewportSize({ width, height: width < 600 ? 780 : 900 })
  }
}

/** Members of the chat that listen and say nothing. */
export class Crowd {
  readonly #sockets: Socket[] = []

  static async join(demo: Demo, members: number): Promise<Crowd> {
    const crowd = new Crowd()
    const { hostname, port, host } = new URL(demo.url)
    const lines = [
      'GET / HTTP/1.1',
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: chat',
    ]
    const request = `${lines.join('\r\n')}\r\n\r\n`
    const joined = Array.from({ length: members }, async () => {
      const socket = connect(Number(port), hostname)
      crowd.#sockets.push(socket)
      await once(socket, 'connect')
      // Whoever ends first: it was no more than there.
      socket.on('error', () => {})
      socket.write(request)
      await once(socket, 'data')
      socket.resume()
    })
    await Promise.all(joined)
    return crowd
  }

  leave(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
