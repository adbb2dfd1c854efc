/**
 * The demo's page in Chromium: two tabs chat, and the poll set shows both, then the DEL of one.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import { Demo } from './support/demo.js'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

interface Tab {
  readonly page: Page
  /** What the console said that it should not have. */
  readonly complaints: string[]
}

describe('91 the demo in Chromium', function () {
  this.timeout(60_000)
  needsAddon()

  const folder = temporaryFolder()
  let browser: BrowserContext
  let demo: Demo

  before(async function () {
    if (!existsSync(executablePath)) {
      console.log(`    left out: there is no ${executablePath} (CHROMIUM=... names another)`)
      this.skip()
    }
    browser = await chromium.launchPersistentContext(folder.path, { executablePath, args })
  })
  after(async () => {
    await browser?.close()
    folder.remove()
  })
  beforeEach(async () => {
    demo = await Demo.start()
  })

  async function openTab(name: string): Promise<Tab> {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(demo.url)
    await page.getByText(/^you are fd \d+$/).waitFor()
    await page.getByLabel('Your name').fill(name)
    await page.getByRole('button', { name: 'Change' }).click()
    await page.getByRole('cell', { name: `chat: ${name} (this tab)` }).waitFor()
    return { page, complaints }
  }

  it('two tabs chat; the poll set shows both; one closes, and its DEL appears', async () => {
    const ann = await openTab('Ann')
    const bo = await openTab('Bo')
    await ann.page.getByLabel('Message', { exact: true }).fill('hello <i>Bo</i>')
    await ann.page.keyboard.press('Enter')
    for (const { page } of [ann, bo]) {
      await page.getByRole('log').getByText('hello <i>Bo</i>').waitFor()
      assert.equal(await page.locator('#lines i').count(), 0, 'text became markup')
    }
    const row = ann.page.getByRole('row').filter({ hasText: 'chat: Bo' })
    const [fd, events, gen] = await row.getByRole('cell').allTextContents()
    assert.equal(events, 'POLLIN')
    await ann.page.getByRole('row').filter({ hasText: 'chat: Ann' }).waitFor()
    await bo.page.close()
    const del = new RegExp(`DEL\\s+fd ${fd} gen ${gen} POLLIN chat: Bo`)
    await ann.page.locator('#changes li').filter({ hasText: del }).waitFor()
    await row.waitFor({ state: 'detached' })
    await ann.page.getByRole('log').getByText('left').waitFor()
    assert.deepEqual([...ann.complaints, ...bo.complaints], [])
  })

  it('can be used with the keyboard alone, and fits a narrow screen', async () => {
    const { page, complaints } = await openTab('Ann')
    await page.setViewportSize({ width: 360, height: 640 })
    const width = await page.evaluate('document.documentElement.scrollWidth')
    assert.equal(width, 360, 'it scrolls sideways')
    await page.locator('body').press('Tab')
    const stops: string[] = []
    for (let tab = 0; tab < 12; tab++) {
      const focused = page.locator(':focus')
      if ((await focused.count()) > 0) {
        stops.push((await focused.getAttribute('id')) ?? (await focused.innerText()))
      }
      if (stops.at(-1) === 'say') {
        await page.keyboard.type('by keyboard')
        await page.keyboard.press('Enter')
      }
      await page.keyboard.press('Tab')
    }
    for (const stop of ['name', 'Change', 'lines', 'say', 'Send', 'changes'])
      assert.ok(stops.includes(stop), `${stop} cannot be reached: ${stops.join(', ')}`)
    await page.getByRole('log').getByText('by keyboard').waitFor()
    assert.deepEqual(complaints, [])
  })

  it('says so when the server goes away', async () => {
    const { page, complaints } = await openTab('Ann')
    const end = await demo.program.signal('SIGTERM')
    assert.equal(end.status, 0)
    await page.getByText('connection over (1001); reload to connect again').waitFor()
    assert.deepEqual(complaints, [])
  })
})
