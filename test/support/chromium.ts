/** Debian's Chromium, with no profile, and nothing asked of any network. Knows no pages. */
import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

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

/** Why there is no browser; undefined where there is one. */
export function lacksChromium(): string | undefined {
  if (existsSync(executablePath)) return undefined
  return `left out: there is no ${executablePath} (CHROMIUM=... names another)`
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath, args })
}
