/**
 * Where the addon is not: one line that says what is missing, what works all the same, and how to
 * build it. Each case is a copy of what is built with another addon, or a process that pretends.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sanitized } from './support/effort.js'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'
import { Program, projectRoot } from './support/programs.js'

const BUILT = 'build/extpoll.node'
const PREBUILT = `prebuilds/${process.platform}-${process.arch}/extpoll.node`

/** Prints what `epollHost()` throws; `pretend` runs before. Then a context without the addon. */
const script = (pretend: string): string => `
${pretend}
const { epollHost } = await import('./dist/integrations/epoll.js')
const { fakePoller } = await import('./dist/integrations/fake-poller.js')
const { createContext, defineProtocol } = await import('./dist/src/index.js')
createContext({ host: fakePoller().host, port: 1, protocols: [defineProtocol({ handlers: {} })] })
try {
  epollHost().poller.close()
  console.log('works')
} catch (error) {
  console.log(error.code + ' ' + error.message)
}
`

const pretends = (key: 'platform' | 'versions', value: string): string =>
  `Object.defineProperty(process, '${key}', { value: ${value} })`

describe('60 without the addon', function () {
  needsAddon()
  this.timeout(20_000)

  let folder: ReturnType<typeof temporaryFolder>

  beforeEach(() => {
    folder = temporaryFolder()
    for (const part of ['dist', 'package.json'])
      cpSync(join(projectRoot, part), join(folder.path, part), { recursive: true })
    symlinkSync(join(projectRoot, 'node_modules'), join(folder.path, 'node_modules'))
    mkdirSync(join(folder.path, 'build'))
    mkdirSync(join(folder.path, PREBUILT, '..'), { recursive: true })
  })

  afterEach(() => folder.remove())

  /** The line that a program in the copy gets. */
  function answer(pretend = ''): string {
    writeFileSync(join(folder.path, 'try.mjs'), script(pretend))
    const args = ['try.mjs']
    const { stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: folder.path,
      encoding: 'utf8',
    })
    assert.equal(stderr, '')
    assert.match(stdout, /^[^\n]+\n$/)
    return stdout.trimEnd()
  }

  function assertMissing(line: string, what: RegExp, remedy: RegExp): void {
    assert.match(line, /^ERR_EXTPOLL_NO_ADDON extpoll\/epoll /)
    assert.match(line, what)
    assert.match(line, /; extpoll's other entries work without it; /)
    assert.match(line, remedy)
  }

  const build = /; to build it: node \/.+\/integrations\/epoll-addon\/build\.mjs$/

  it('not built: where it was looked for, and how to build it', () => {
    assertMissing(answer(), /no compiled addon for \S+ \(no build\/.+, no prebuilds\//, build)
  })

  it('another platform: it cannot be built there', () => {
    const line = answer(pretends('platform', "'darwin'"))
    assertMissing(line, /needs Linux, and this is darwin-/, /; it cannot be built here$/)
  })

  it('a Node that is too old: which one it needs', () => {
    const line = answer(pretends('versions', "{ ...process.versions, node: '20.18.3' }"))
    assertMissing(line, /needs Node >= 20\.19, and this is 20\.18\.3/, /; run it by a newer Node/)
  })

  it('a symbol that this Node has not: its name', () => {
    const source = 'extern void napi_of_tomorrow(void); void* f = napi_of_tomorrow;'
    const args = ['-shared', '-fPIC', '-x', 'c', '-', '-o', join(folder.path, BUILT)]
    const { status } = spawnSync('gcc', args, { input: source })
    assert.equal(status, 0)
    assertMissing(answer(), /cannot load .*build\/extpoll\.node.*napi_of_tomorrow/, build)
  })

  it('a file that is no addon', () => {
    writeFileSync(join(folder.path, BUILT), 'not this')
    assertMissing(answer(), /cannot load its compiled addon, build\/extpoll\.node \(/, build)
  })

  it('an addon of older sources: the functions that it lacks', () => {
    // No addon of ours: a module that JavaScript can load by this name and that has one function.
    const loader = `import Module from 'node:module'
Module._extensions['.node'] = (module) => { module.exports = { recv() {} } }`
    writeFileSync(join(folder.path, BUILT), '')
    assertMissing(answer(loader), /of other sources, build\/.+: no createBuffer, .*no wait/, build)
  })

  it('what the command does without it', async () => {
    const cli = join(folder.path, 'dist/integrations/cli/extpoll.js')
    for (const command of ['sim', 'shrink'])
      assert.equal(spawnSync(process.execPath, [cli, command, '--seed', '1']).status, 0, command)
    const args = ['--host', 'node-streams', '--port', '0']
    const echo = new Program(process.execPath, [cli, 'echo', ...args])
    const [url] = /ws:\S+/.exec(await echo.firstLine())!
    const connected = new Program(process.execPath, [cli, 'connect', url])
    connected.process.stdin!.write('hello\n')
    assert.equal(await connected.firstLine(), 'hello')
    for (const command of [['echo'], ['serve', '.']]) {
      const { stderr } = spawnSync(process.execPath, [cli, ...command], { encoding: 'utf8' })
      assert.match(stderr, /has no compiled addon/)
    }
  })

  it('what came with the package is found, and what was built here goes before it', () => {
    cpSync(join(projectRoot, BUILT), join(folder.path, PREBUILT))
    assert.equal(answer(), 'works')
    writeFileSync(join(folder.path, BUILT), 'not this')
    assertMissing(answer(), /build\/extpoll\.node/, build)
  })
})

describe('60 without the headers of this node', function () {
  needsAddon()
  this.timeout(20_000)

  // A sanitized copy has no Makefile, and nothing of the addon runs here.
  before(function () {
    if (sanitized) this.skip()
  })

  const headers = `node-gyp/${process.versions.node}/include/node`
  let folder: ReturnType<typeof temporaryFolder>

  beforeEach(() => {
    folder = temporaryFolder()
  })
  afterEach(() => folder.remove())

  /** A command where no headers are beside the node; the folder is the home and the cache. */
  function run(command: string, ...args: string[]): { status: number | null; printed: string } {
    const elsewhere = join(folder.path, 'elsewhere.cjs')
    writeFileSync(elsewhere, "process.execPath = '/nowhere/bin/node'")
    const NODE_OPTIONS = `--require ${elsewhere}`
    const own = { HOME: folder.path, XDG_CACHE_HOME: folder.path, NODE_OPTIONS, MAKEFLAGS: '' }
    const env = { ...process.env, ...own }
    const options = { cwd: projectRoot, encoding: 'utf8', env } as const
    const { status, stdout, stderr } = spawnSync(command, args, options)
    return { status, printed: stdout + stderr }
  }

  /** What is to be made is there, so that nothing is compiled. */
  function makeAddon(): ReturnType<typeof run> {
    const made = join(folder.path, 'extpoll.node')
    writeFileSync(made, '')
    return run('make', '--no-print-directory', 'addon', `ADDON=${made}`)
  }

  /** The compiler tells its arguments and makes nothing. */
  function build(): string {
    const output = join(folder.path, 'extpoll.node')
    const script = 'integrations/epoll-addon/build.mjs'
    return run('env', 'CXX=echo', process.execPath, script, '--output', output).printed
  }

  it('make and the script say how to get them', () => {
    const { status, printed } = makeAddon()
    assert.notEqual(status, 0)
    assert.match(
      printed,
      /^missing: the headers of this node .*`npx node-gyp install`.*; the epoll/,
    )
    assert.match(build(), /^addon not built: node_api\.h .*`npx node-gyp install`/)
  })

  it('where node-gyp put them they are found', () => {
    const there = join(folder.path, headers)
    mkdirSync(there, { recursive: true })
    writeFileSync(join(there, 'node_api.h'), '')
    assert.equal(makeAddon().status, 0)
    assert.ok(build().includes(` -I${there} `))
  })
})
