/**
 * Photographs the demo's page, to be looked at: light and dark, phone and desktop, 2 connections
 * and 500, and while one of them is paused. Run by `make shots`; writes to test/.out/shots.
 */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { lacksChromium, launchChromium } from './support/chromium.js'
import { Demo } from './support/demo.js'
import { Crowd, Tab } from './support/demo-page.js'

const folder = fileURLToPath(new URL('.out/shots/', import.meta.url))
const CROWD = 498

describe("the demo's page, photographed", function () {
  this.timeout(120_000)

  it('from few descriptors to many', async () => {
    assert.equal(lacksChromium(), undefined)
    mkdirSync(folder, { recursive: true })
    const demo = await Demo.start()
    const chromium = await launchChromium()
    try {
      const tab = await Tab.open(await chromium.newContext(), demo)
      await tab.rename('Ann')
      await pause(1700)
      await shootAll(tab, '2')
      await tab.page.getByRole('button', { name: 'Add 10 chatty visitors' }).click()
      await pause(12_000)
      await tab.page.getByRole('button', { name: 'Pause this connection' }).click()
      await pause(2500)
      await shootAll(tab, 'paused')
      await tab.page.getByRole('button', { name: 'Resume' }).click()
      const crowd = await Crowd.join(demo, CROWD)
      await pause(3000)
      await shootAll(tab, '500')
      crowd.leave()
      assert.deepEqual(tab.complaints, [])
    } finally {
      await chromium.close()
    }
  })
})

async function shootAll(tab: Tab, what: string): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [360, 1440]) {
      await tab.scheme(scheme, width)
      await pause(300)
      const path = `${folder}${what}-${scheme}-${width}.png`
      await tab.page.screenshot({ path, fullPage: true })
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
