/**
 * A page that lists a folder. Names come from the disk and may be anything: each is escaped, for
 * where it stands.
 *
 * The folder is opened as files are, beneath the root by the kernel, and read through its
 * descriptor; links are shown and not followed. Source: openat2(2), proc(5).
 */
import { createHash } from 'node:crypto'
import { lstatSync, opendirSync } from 'node:fs'
import { pathOfTarget } from '../../src/index.js'
import type { ServeFileOptions } from '../../src/index.js'
import { socketIo } from '../epoll.js'

export interface FolderPage {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Row {
  readonly name: string
  readonly isFolder: boolean
  readonly sizeBytes: number
  readonly modified: Date
}

/** More than anybody reads; the page says so. */
const MAX_ROWS = 5_000

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.25rem; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse }
th { text-align: left; font-weight: 600 }
th, td { padding: .375rem .5rem; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent) }
td:first-child { overflow-wrap: anywhere }
.number, .time { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
tr:hover td { background: color-mix(in srgb, currentColor 6%, transparent) }
@media (max-width: 36rem) { .time { display: none } }
`
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${STYLE_HASH}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
]
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': POLICY.join('; '),
  'Cache-Control': 'no-cache',
  'Referrer-Policy': 'no-referrer',
}

/**
 * @param path of the folder beneath the root, '' or with a slash behind, from pathOfTarget
 * @returns null where it is no folder, or none to be seen
 */
export function listFolder(path: string, { root, dotFiles }: ServeFileOptions): FolderPage | null {
  if (dotFiles !== true && /(?:^|\/)\./.test(path)) return null
  const fd = socketIo.openFile(root, path === '' ? '.' : path)
  if (fd < 0) return null
  try {
    const info = socketIo.fileInfo(fd)
    if (typeof info === 'number' || !info.directory) return null
    return {
      headers: HEADERS,
      body: page(path, ...rowsOf(`/proc/self/fd/${fd}`, dotFiles === true)),
    }
  } catch {
    // It went away meanwhile, or may not be read.
    return null
  } finally {
    socketIo.closeFile(fd)
  }
}

function rowsOf(folder: string, dotFiles: boolean): [rows: Row[], isWhole: boolean] {
  const rows: Row[] = []
  const directory = opendirSync(folder)
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (!dotFiles && entry.name.startsWith('.')) continue
      if (rows.length === MAX_ROWS) return [sorted(rows), false]
      const about = lstatSync(`${folder}/${entry.name}`, { throwIfNoEntry: false })
      if (about === undefined) continue
      const isFolder = about.isDirectory()
      const { name } = entry
      rows.push({ name, isFolder, sizeBytes: about.size, modified: about.mtime })
    }
  } finally {
    directory.closeSync()
  }
  return [sorted(rows), true]
}

/** Folders first, names as people count. */
function sorted(rows: Row[]): Row[] {
  const { compare } = new Intl.Collator('en', { numeric: true })
  return rows.sort(
    (one, other) => Number(other.isFolder) - Number(one.isFolder) || compare(one.name, other.name),
  )
}

function page(path: string, rows: readonly Row[], isWhole: boolean): string {
  const title = escapeHtml(`/${path}`)
  const up = path === '' ? '' : '<tr><td><a href="../">../</a><td><td></tr>\n'
  const more = isWhole ? '' : `<p>Only the first ${MAX_ROWS} are shown.</p>\n`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${STYLE}</style>
<h1>${title}</h1>
<table>
<thead><tr><th scope="col">Name<th scope="col" class="number">Size<th scope="col" class="time">Changed (UTC)</tr></thead>
<tbody>
${up}${rows.map(row).join('')}</tbody>
</table>
${more}</html>
`
}

function row({ name, isFolder, sizeBytes, modified }: Row): string {
  const slash = isFolder ? '/' : ''
  const address = `${encodeURIComponent(name)}${slash}`
  const text = escapeHtml(`${name}${slash}`)
  // What has no address, a backslash in it for instance, is shown without.
  const cell =
    pathOfTarget(`/${address}`) === null ? text : `<a href="${escapeHtml(address)}">${text}</a>`
  const time = modified.toISOString().slice(0, 16).replace('T', ' ')
  const size = isFolder ? '' : sizeText(sizeBytes)
  return `<tr><td>${cell}<td class="number">${size}<td class="time">${time}</tr>\n`
}

function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const step = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 2 ** (10 * step)
  return `${step === 0 ? value : value.toFixed(1)} ${units[step]!}`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** For text and for attributes in quotes. Control characters are shown as what cannot be shown. */
function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
    .replace(/[\p{Cc}\p{Cf}]/gu, '\ufffd')
}
