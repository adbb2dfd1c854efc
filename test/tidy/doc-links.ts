/**
 * Every relative link of a Markdown page points to a file or folder of the tree, and its anchor to
 * a heading there. Asks no network.
 */
import { posix } from 'node:path'
import type { Finding, ProjectFile, Sample, TidyRule } from './tidy-rule.js'

const outside = /^(?:[a-z][a-z+.-]*:|\/\/)/i

/** The page without code, where brackets mean something else; line ends are kept. */
function proseOf(text: string): string {
  return text
    .replace(/^( *)(```+|~~~+)[^]*?^\1\2/gm, (code) => code.replace(/[^\n]/g, ' '))
    .replace(/(`+)[^`\n]+\1/g, (code) => code.replace(/[^\n]/g, ' '))
}

function linksOf(text: string): { target: string; line: number }[] {
  const links: { target: string; line: number }[] = []
  for (const [index, line] of proseOf(text).split('\n').entries()) {
    for (const [, target] of line.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)) {
      links.push({ target: target!, line: index + 1 })
    }
    const reference = /^\s*\[[^\]]+\]:\s*(\S+)/.exec(line)?.[1]
    if (reference !== undefined) links.push({ target: reference, line: index + 1 })
  }
  return links
}

/** Anchors as hosts make them of headings: lower case, punctuation gone, spaces to dashes. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const base = heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-')
    let anchor = base
    for (let count = 1; anchors.has(anchor); count++) anchor = `${base}-${count}`
    anchors.add(anchor)
  }
  for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id!)
  return anchors
}

function check(files: readonly ProjectFile[]): Finding[] {
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  const isFolder = (path: string): boolean =>
    path === '.' || files.some((file) => file.path.startsWith(`${path}/`))
  const findings: Finding[] = []
  for (const { path, text } of files) {
    if (!path.endsWith('.md')) continue
    for (const { target, line } of linksOf(text)) {
      if (outside.test(target)) continue
      const [relative = '', anchor] = decodeURI(target).split('#')
      const to =
        relative === '' ? path : posix.join(posix.dirname(path), relative).replace(/\/$/, '')
      const page = texts.get(to)
      if (page === undefined && !isFolder(to)) {
        findings.push({ path, line, message: `${target} leads nowhere` })
      } else if (anchor && to.endsWith('.md') && !anchorsOf(page ?? '').has(anchor)) {
        findings.push({ path, line, message: `${target}: no such heading` })
      }
    }
  }
  return findings
}

function pages(why: string, texts: Record<string, string>): Sample {
  return { why, files: Object.entries(texts).map(([path, text]) => ({ path, text })) }
}

export const docLinksRule: TidyRule = {
  name: 'has no link that leads nowhere',
  check,
  refuses: [
    pages('a missing file', { 'README.md': 'See [it](docs/a.md).' }),
    pages('from a folder', { 'src/README.md': '[a](README.md) [b](src/README.md)' }),
    pages('a missing heading', { 'README.md': '# One\n[two](#two)' }),
    pages('a missing heading elsewhere', { 'README.md': '[b](b.md#two)', 'b.md': '# One' }),
    pages('a reference', { 'README.md': '[a]: ./nothing.md' }),
  ],
  accepts: [
    pages('what is there', {
      'README.md':
        '# C1 Grammar: a `b`\n[a](src/) [b](src/b.md#two) [c](#c1-grammar-a-b) ![](p.svg)',
      'src/b.md': '## Two\n[up](../README.md)',
      'p.svg': '',
    }),
    pages('addresses', { 'README.md': '[a](https://example.com/a) [b](mailto:a) <https://a.b>' }),
    pages('code', { 'README.md': '`a[0](x)`\n```\n[a](nowhere.md)\n```\n' }),
  ],
}
