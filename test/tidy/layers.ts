/**
 * Who may import whom, as data, type-only imports included.
 *
 * The picture is in src/README.md; this table is what holds it. An edge not listed is forbidden.
 */
import { importsOf, isScript, resolveRelative } from './typescript-source.js'
import { sample, type Finding, type ProjectFile, type TidyRule } from './tidy-rule.js'

const belowConnection = ['errors', 'socket', 'poll', 'wire', 'protocol', 'host']
const belowContext = [...belowConnection, 'connection']
const belowIndex = [...belowContext, 'http', 'client', 'digest', 'context']

/** Layer of src/ -> what it may import beside itself, lowest first. `wire/x` is one module. */
const layers: Readonly<Record<string, readonly string[]>> = {
  'http-faults': [],
  errors: ['http-faults'],
  socket: [],
  poll: ['errors'],
  wire: ['errors'],
  // What an application is given, as the layers below have it: requests, addresses, changes.
  protocol: ['errors', 'socket', 'poll', 'wire'],
  host: ['socket', 'poll'],
  connection: belowConnection,
  client: belowContext,
  http: belowContext,
  digest: belowContext,
  context: [...belowContext, 'http', 'digest'],
  service: belowIndex,
  commands: belowIndex,
  index: [...belowIndex, 'service', 'commands'],
}

/** The only things src/ takes from npm, and from Node by name. */
const npmInSource = ['eventemitter3', 'mrmime']
const nodeInSource: Readonly<Record<string, readonly string[]>> = {
  'node:crypto': ['createHash', 'hash'],
  'node:buffer': ['isUtf8'],
}

/** The private folders of the integrations that have one; an integration is named by its file. */
const privateFolders: Readonly<Record<string, string>> = {
  'epoll-addon': 'epoll',
  simulation: 'fake-poller',
  streams: 'node-streams',
}

/** `src/wire/opcode.ts` -> `wire`; `src/errors.ts` -> `errors`. */
function layerOf(path: string): string {
  return path.split('/')[1]!.replace(/\.ts$/, '')
}

function integrationOf(path: string): string {
  const name = path.split('/')[1]!.replace(/\.ts$/, '')
  return privateFolders[name] ?? name
}

function refuseInSource(path: string, specifier: string, names: readonly string[]): string | null {
  const target = resolveRelative(path, specifier)
  const from = layerOf(path)
  const mayImport = layers[from]
  if (!mayImport) return `src/${from} is no layer: give it a row in test/tidy/layers.ts`
  if (target === undefined) {
    if (npmInSource.includes(specifier)) return null
    const allowed = nodeInSource[specifier]
    if (allowed && names.length > 0 && names.every((name) => allowed.includes(name))) return null
    return `src/ may not import ${names.join(', ')} from '${specifier}' (C24)`
  }
  if (!target.startsWith('src/')) return `src/ may not import ${target}`
  const to = layerOf(target)
  const asModule = target.slice('src/'.length).replace(/\.ts$/, '')
  if (to === from || mayImport.includes(to) || mayImport.includes(asModule)) return null
  return `${from} may not import ${asModule}`
}

function refuseInIntegration(path: string, specifier: string): string | null {
  const target = resolveRelative(path, specifier)
  if (target === undefined) {
    return specifier.startsWith('node:') ? null : `an integration may not import '${specifier}'`
  }
  if (target === 'src/index.ts') return null
  if (!target.startsWith('integrations/'))
    return `an integration sees src/index only, not ${target}`
  const [from, to] = [integrationOf(path), integrationOf(target)]
  if (from === to || from === 'cli') return null
  return `${from} may not import its sibling ${to}`
}

function refuseInExample(path: string, specifier: string): string | null {
  if (/^(?:extpoll(?:\/[a-z-]+)?$|node:)/.test(specifier)) return null
  const target = resolveRelative(path, specifier)
  if (target?.split('/').slice(0, 2).join('/') === path.split('/').slice(0, 2).join('/'))
    return null
  return `an example imports what a user can import, not '${specifier}'`
}

function check(files: readonly ProjectFile[]): Finding[] {
  const findings: Finding[] = []
  for (const file of files) {
    const { path } = file
    if (!isScript(path)) continue
    for (const { specifier, names, line } of importsOf(file)) {
      const message = path.startsWith('src/')
        ? refuseInSource(path, specifier, names)
        : path.startsWith('integrations/')
          ? refuseInIntegration(path, specifier)
          : path.startsWith('examples/')
            ? refuseInExample(path, specifier)
            : null
      if (message !== null) findings.push({ path, line, message })
    }
  }
  return findings
}

const one = (path: string, line: string) => sample(`${path}: ${line}`, path, line)

export const layersRule: TidyRule = {
  name: 'imports only what its layer may',
  check,
  refuses: [
    one('src/wire/a.ts', "import { b } from '../poll/b.js'"),
    one('src/wire/a.ts', "import type { B } from '../connection/b.js'"),
    one('src/poll/a.ts', "export * from '../context/b.js'"),
    one('src/protocol/a.ts', "import { b } from '../connection/connection.js'"),
    one('src/service/a.ts', "import { b } from '../commands/b.js'"),
    one('src/host.ts', "type B = import('./errors.js').B"),
    one('src/index.ts', "import { b } from '../integrations/epoll.js'"),
    one('src/newfolder/a.ts', "import { b } from './b.js'"),
    one('src/wire/a.ts', "import { createHash, randomBytes } from 'node:crypto'"),
    one('src/wire/a.ts', "import 'node:crypto'"),
    one('src/wire/a.ts', "import * as buffer from 'node:buffer'"),
    one('src/wire/a.ts', "const net = require('node:net')"),
    one('src/wire/a.ts', "const net = await import('net')"),
    one('src/wire/a.ts', "import mri from 'mri'"),
    one('integrations/epoll.ts', "import { b } from '../src/connection/b.js'"),
    one('integrations/epoll.ts', "import { b } from './node-streams.js'"),
    one('integrations/epoll.ts', "import { b } from './simulation/b.js'"),
    one('integrations/epoll.ts', "import { b } from 'ws'"),
    one('examples/nginx-like/a.ts', "import { b } from '../../src/index.js'"),
    one('examples/nginx-like/a.ts', "import { WebSocket } from 'ws'"),
  ],
  accepts: [
    one('src/wire/a.ts', "import { b } from './b.js'"),
    one('src/wire/a.ts', "import { createHash, hash } from 'node:crypto'"),
    one('src/wire/a.ts', "// import { b } from '../poll/b.js'"),
    one('src/protocol/a.ts', "import { b } from '../wire/opcode.js'"),
    one('src/context/a.ts', "import { EventEmitter } from 'eventemitter3'"),
    one('src/index.ts', "export { write } from './commands/write.js'"),
    one('integrations/epoll.ts', "import { b } from './epoll-addon/binding.js'"),
    one('integrations/epoll-addon/binding.ts', "import { createRequire } from 'node:module'"),
    one('integrations/cli/extpoll.ts', "import { epollHost } from '../epoll.js'"),
    one('examples/nginx-like/a.ts', "import { epollHost } from 'extpoll/epoll'"),
    one('test/a.test.ts', "import { b } from '../src/wire/b.js'"),
  ],
}
