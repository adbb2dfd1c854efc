/**
 * The demo's page in Chromium: two tabs chat and see each other in the poll set; whoever looks, on
 * whatever screen, with few descriptors or many, can use it; and no peer's text becomes more.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import axe from 'axe-core'
import type { Browser, BrowserContext } from 'playwright-core'
import { lacksChromium, launchChromium } from './support/chromium.js'
import { Demo } from './support/demo.js'
import { Crowd, Tab } from './support/demo-page.js'
import { needsAddon } from './support/epoll-addon.js'
import { Client } from './support/programs.js'

const CROWD = 495
/** So many rows of the table exist at once, whatever is in the poll set. */
const MAX_ROWS = 40
const INJECTED = '<img src=x onerror="document.title=\'ran\'">'

describe('91 the demo in Chromium', function () {
  this.timeout(120_000)
  needsAddon()

  let chromium: Browser
  let browser: BrowserContext
  let demo: Demo

  before(async function () {
    const lack = lacksChromium()
    if (lack !== undefined) {
      console.log(`    ${lack}`)
      this.skip()
    }
    chromium = await launchChromium()
  })
  after(() => chromium?.close())
  beforeEach(async () => {
    ;[demo, browser] = await Promise.all([Demo.start(), chromium.newContext()])
  })
  afterEach(() => browser?.close())

  async function openTab(name: string): Promise<Tab> {
    const tab = await Tab.open(browser, demo)
    await tab.rename(name)
    return tab
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
    const del = new RegExp(`DEL_POLL_FD\\s+fd ${fd} gen ${gen}\\s+POLLIN chat: Bo`)
    await ann.page.locator('#changes li').filter({ hasText: del }).waitFor()
    await row.waitFor({ state: 'detached' })
    await ann.page.getByRole('log').getByText('left').waitFor()
    assert.deepEqual([...ann.complaints, ...bo.complaints], [])
  })

  it('can be used with the keyboard alone, and says so when the server goes away', async () => {
    const { page, complaints } = await openTab('Ann')
    await page.locator('body').press('Tab')
    const stops: string[] = []
    for (let tab = 0; tab < 16; tab++) {
      const focused = page.locator(':focus')
      if ((await focused.count()) > 0) stops.push((await focused.getAttribute('id')) ?? '')
      if (stops.at(-1) === 'say') {
        await page.keyboard.type('by keyboard')
        await page.keyboard.press('Enter')
      }
      await page.keyboard.press('Tab')
    }
    for (const stop of ['invite', 'table-region', 'name', 'lines', 'say', 'pause', 'changes'])
      assert.ok(stops.includes(stop), `${stop} cannot be reached: ${stops.join(', ')}`)
    await page.getByRole('log').getByText('by keyboard').waitFor()
    const end = await demo.program.signal('SIGTERM')
    assert.equal(end.status, 0)
    for (const text of [
      'connection over (1001); reload to connect again',
      'The connection is over.',
    ])
      await page.getByRole('status').filter({ hasText: text }).waitFor()
    assert.ok(await page.getByRole('button', { name: 'Pause this connection' }).isDisabled())
    assert.deepEqual(complaints, [])
  })

  it('pauses its connection, fills it, and gets everything through in the end', async () => {
    const { page, complaints } = await openTab('Ann')
    const row = page.getByRole('row').filter({ hasText: 'chat: Ann' })
    const [fd] = await row.getByRole('cell').allTextContents()
    const announced = (what: string): Promise<void> =>
      page
        .locator('#changes li')
        .filter({ hasText: `${what}fd ${fd}` })
        .waitFor()
    await page.getByRole('button', { name: 'Pause this connection' }).click()
    await announced('CLEAR_MODE ')
    await row.filter({ hasText: 'nothing' }).waitFor()
    await page.getByText(/^All buffers are full/).waitFor()
    assert.match((await page.locator('#queued').textContent())!, /^[12]\.\d MB$/)
    assert.equal(await page.locator('#read').textContent(), '0 B')
    await page.getByLabel('Message', { exact: true }).fill('waited')
    await page.keyboard.press('Enter')
    const resume = page.getByRole('button', { name: 'Resume' })
    assert.equal(await resume.getAttribute('aria-pressed'), null, 'its name says it already')
    await resume.click()
    await announced('SET_MODE ')
    await page.getByRole('log').getByText('waited').waitFor()
    await page.locator('#queued', { hasText: /^0 B$/ }).waitFor()
    await page.locator('#on-the-way', { hasText: /^0 B$/ }).waitFor()
    assert.match((await page.locator('#read').textContent())!, /^\d+\.\d MB$/)
    const pause = page.getByRole('button', { name: 'Pause this connection' })
    await pause.click()
    await resume.waitFor()
    await demo.program.signal('SIGTERM')
    await pause.and(page.locator(':disabled:not(.on)')).waitFor()
    assert.deepEqual(complaints, [])
  })

  it('shows traffic where there is some, and who brings it goes when told to', async () => {
    const tab = await openTab('Ann')
    const { page, complaints } = tab
    await page.getByRole('button', { name: 'Add 10 chatty visitors' }).click()
    await page.getByRole('button', { name: 'Send the 10 home' }).click()
    await page.getByRole('button', { name: 'Add 10 chatty visitors' }).click()
    await page.getByText(/^1[4-6] descriptors$/).waitFor()
    await page.getByRole('img', { name: /^\d+ descriptors: 1[4-6] waiting for POLLIN$/ }).waitFor()
    await page
      .getByRole('img', { name: /minute \d{2,} messages written and \d+ received$/ })
      .waitFor()
    await page.getByRole('img', { name: /^\d+ calls in the last minute; .* slowest/ }).waitFor()
    // A screen reader would read nothing else.
    await page.locator('#lines[aria-live="off"]').waitFor()
    const statuses = await page.getByRole('status').allTextContents()
    assert.ok(!statuses.some((text) => text.includes('descriptors')), statuses.join())
    assert.match((await page.locator('#messages-plot .out').getAttribute('d'))!, /^M[\d.]+ 100.0V/)
    assert.match((await page.locator('#latency-now').textContent())!, /^[\d.]+ [µm]s$/)
    // Narrower, each line takes more rows: the newest is still the one in view.
    await tab.scheme('light', 360)
    await page.getByLabel('Message', { exact: true }).fill('the newest')
    await page.keyboard.press('Enter')
    await page.getByRole('log').getByText('the newest').waitFor()
    // In one step of the page, since the others go on writing.
    const seen = await page.getByRole('log').evaluate((log) => {
      const [outer, oldest, newest] = [
        log,
        log.querySelector('li')!,
        log.querySelector('li:last-child')!,
      ].map((element) => element.getBoundingClientRect())
      return {
        newest: newest!.y > outer!.y && newest!.bottom <= outer!.bottom,
        oldest: oldest!.y >= outer!.y,
      }
    })
    assert.deepEqual(seen, { newest: true, oldest: false }, 'where all is in view nothing is shown')
    await page.getByRole('button', { name: 'Send the 10 home' }).click()
    await page.getByText('5 descriptors', { exact: true }).waitFor()
    await page.locator('#lines[aria-live="polite"]').waitFor()
    assert.deepEqual(complaints, [])
  })

  it('runs nothing that a peer sent, in whatever field it stood', async () => {
    const { page, complaints } = await openTab('Ann')
    const { host } = new URL(demo.url)
    const headers = { 'user-agent': INJECTED, cookie: INJECTED, 'x-name': INJECTED }
    const query = new URLSearchParams({ name: INJECTED.slice(0, 24) }).toString()
    const peer = await Client.open(`${demo.socketUrl}?${query}`, ['chat'], { headers })
    peer.socket.send(JSON.stringify({ say: INJECTED }))
    peer.socket.send(JSON.stringify({ name: INJECTED.slice(-24) }))
    const raw = connect(Number(new URL(demo.url).port), '127.0.0.1')
    const target = `/<img/src=x/onerror="document.title='ran'">`
    raw.end(
      `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nSec-WebSocket-Protocol: ${INJECTED}\r\n\r\n`,
    )
    await once(raw.resume(), 'close')
    new Client(demo.socketUrl, ['img-onerror'], { headers })
    await page.getByRole('log').getByText(INJECTED).waitFor()
    await page
      .getByRole('log')
      .getByText(`is now ${INJECTED.slice(-24)}`)
      .waitFor()
    await page
      .locator('#changes li')
      .filter({ hasText: `POLLIN GET ${target}` })
      .waitFor()
    await page.getByRole('cell', { name: `chat: ${INJECTED.slice(-24)}` }).waitFor()
    assert.equal(await page.locator('main img').count(), 0)
    assert.equal(await page.title(), 'extpoll: a chat and its poll set')
    assert.deepEqual(complaints, [])
  })

  it('fits phone and desktop, light and dark, with 2 connections and with 500', async () => {
    const tab = await openTab('Ann')
    const { page, complaints } = tab
    await page.evaluate(axe.source)
    const findings: string[] = []
    const look = async (fds: string): Promise<void> => {
      for (const scheme of ['light', 'dark'] as const) {
        for (const width of [360, 1440]) {
          await tab.scheme(scheme, width)
          const where = `${fds} descriptors, ${scheme}, ${width} px`
          const scrollWidth = await page.evaluate('document.documentElement.scrollWidth')
          if (scrollWidth !== width) findings.push(`${where}: ${String(scrollWidth)} px wide`)
          const { violations } = await page.evaluate<axe.AxeResults>(
            "axe.run(document, { resultTypes: ['violations'] })",
          )
          for (const { id, nodes } of violations)
            findings.push(`${where}: ${id}: ${nodes.map(({ target }) => target.join(' ')).join()}`)
        }
      }
    }
    await look('5')
    await page.getByText(/^asleep: nothing was ready for \d+ s$/).waitFor()
    await Crowd.join(demo, CROWD)
    await page.getByText('500 descriptors', { exact: true }).waitFor()
    await look('500')
    assert.deepEqual(findings, [])
    const rows = await page.getByRole('row').count()
    assert.ok(rows < MAX_ROWS, `${rows} rows are there`)
    assert.equal(await page.locator('#table').getAttribute('aria-rowcount'), '501')
    await page.locator('#table-region').press('End')
    await page
      .locator('tr[aria-rowindex="501"]')
      .getByText(/^chat: Guest \d+$/)
      .waitFor()
    await page.getByRole('img', { name: '500 descriptors: 500 waiting for POLLIN' }).waitFor()
    assert.deepEqual(complaints, [])
  })

  it('keeps the colours that tell something where the system has its own', async () => {
    const { page, complaints } = await openTab('Ann')
    const telling = [
      ...['.tile|background', '.tile|border-left', '.tile b|text', '.tile .masks|text'],
      ...['.set .key.both|background', '.bar|background', '#read-bar|background', '.lamp|border'],
    ]
    const colours = (): Promise<unknown> =>
      page.evaluate(
        `${JSON.stringify(telling)}.map((one) => {
          const [selector, part] = one.split('|')
          const style = getComputedStyle(document.querySelector(selector))
          return [one, style.getPropertyValue(part === 'text' ? 'color' : part + '-color')]
        })`,
      )
    await page.getByText(/^asleep: nothing was ready for \d+ s$/).waitFor()
    await page.emulateMedia({ colorScheme: 'dark' })
    const own = await colours()
    await page.emulateMedia({ forcedColors: 'active' })
    assert.ok(await page.evaluate("matchMedia('(forced-colors: active)').matches"))
    assert.deepEqual(await colours(), own)
    assert.deepEqual(complaints, [])
  })
})
