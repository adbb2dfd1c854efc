/**
 * What must not be left in a file: marks of unfinished work, a test run alone, silenced types,
 * and whatever belongs to one machine and not to the project (its paths, its registry, its people).
 *
 * The words looked for are put together from parts, so that this file passes its own rule.
 */
import { sample, type Finding, type ProjectFile, type TidyRule } from './tidy-rule.js'

interface Leftover {
  readonly pattern: RegExp
  readonly message: string
  /** Where it is looked for; everywhere when absent. */
  readonly where?: RegExp
}

const scripts = /\.[cm]?[tj]s$/

const leftovers: readonly Leftover[] = [
  { pattern: /\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/, message: 'a mark of unfinished work' },
  {
    pattern: /\b(?:describe|context|it|test)\.only\(/,
    message: 'a test that runs alone',
    where: scripts,
  },
  { pattern: /@ts-(?:ignor[e]|nochec[k])\b/, message: 'a silenced type error', where: scripts },
  { pattern: /\bdebugge[r]\b;?$/, message: 'a stop for a debugger', where: scripts },
  { pattern: /^(?:<{7}|>{7}|={7})(?: |$)/, message: 'a mark of a merge' },
  {
    pattern: /(?<![\w.~$}-])\/(?:root|home|work|Users|mnt|media)\/\w/,
    message: 'a path of one machine',
  },
  { pattern: /\b[A-Z]:\\Users\\/, message: 'a path of one machine' },
  { pattern: /(?:^|[\s"'`(])\.\.\/(?:shared|seed)\//, message: 'a path outside of the project' },
  {
    pattern: /\bregistr[y]\.[\w-]+\.\w|_authToke[n]|\/\/registr[y]\b/,
    message: "a registry's host",
  },
  { pattern: /"resolved":/, message: "a registry's host", where: /(?:^|\/)package-lock\.json$/ },
  {
    pattern: /https?:\/\/[\w.-]+\.(?:internal|corp|lan|intra)\b/,
    message: 'a host of one network',
  },
  {
    pattern:
      /(?<!git)(?<![\w.+-])(?!git@)[\w.+-]+@(?!example\.)[\w-]+\.(?:com|org|net|io|dev|de)\b/,
    message: 'an address of a person',
  },
]

function check(files: readonly ProjectFile[]): Finding[] {
  const findings: Finding[] = []
  for (const { path, text } of files) {
    const looked = leftovers.filter(({ where }) => where === undefined || where.test(path))
    for (const [index, line] of text.split('\n').entries()) {
      for (const { pattern, message } of looked) {
        if (pattern.test(line)) findings.push({ path, line: index + 1, message })
      }
    }
  }
  return findings
}

const at = '@'
const join = (...parts: string[]): string => parts.join('')

export const leftoversRule: TidyRule = {
  name: 'leaves nothing behind',
  check,
  refuses: [
    sample('unfinished', 'src/a.ts', join('// TO', 'DO: later')),
    sample('unfinished, in prose', 'README.md', join('FIX', 'ME')),
    sample('a test alone', 'test/a.test.ts', join('describe', ".only('a', f)")),
    sample('silenced', 'src/a.ts', join('// @ts-', 'ignore')),
    sample('a merge', 'src/a.ts', '<'.repeat(7) + ' HEAD'),
    sample('a home', 'Makefile', join('DIR = /ho', 'me/someone/a')),
    sample('a home in a string', 'src/a.ts', join("open('/ro", "ot/a')")),
    sample('a parent folder', 'README.md', join('see ../sha', 'red/a.md')),
    sample('a registry', '.npmrc', join('registry=https:/', '/registry', '.example.com')),
    sample('a lock with hosts', 'package-lock.json', join('"resol', 'ved": "https://a/b.tgz"')),
    sample('an inner host', 'README.md', join('https://git.example', '.internal/a')),
    sample('a person', 'package.json', join('"someone', at, 'mail.com"')),
  ],
  accepts: [
    sample('a home that is a variable', 'Makefile', '$HOME/a ~/a'),
    sample('a path of a request', 'test/a.ts', "get('/index.html')"),
    sample('a package with its version', 'README.md', 'npm install extpoll@0.1.0'),
    sample('an example', 'README.md', 'ws://127.0.0.1:9000 https://example.com/'),
    sample('git by ssh', 'README.md', join('git', at, 'github.com:a/b')),
  ],
}
