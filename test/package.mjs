// The packed file, as those who install it get it: publint and @arethetypeswrong/cli find nothing,
// and a project in ES modules and one in CommonJS install it without scripts, compile under strict
// TypeScript, and run: an echo in memory and one over epoll, with the addon that came in the file.
//
// In it are no leavings of the build, no tools of ours, and no script that names a missing map.
// Nothing is fetched: the two dependencies are packed from node_modules. `make pack` comes first.
//
// node test/package.mjs FILE.tgz
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'

const root = fileURLToPath(new URL('../', import.meta.url))
const bin = (name) => join(root, 'node_modules/.bin', name)
const file = resolve(process.argv[2] ?? '')
const folder = mkdtempSync(join(tmpdir(), 'extpoll-package-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

function run(cwd, command, ...args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')}: ${error ?? `${status}\n${stdout}${stderr}`}`)
}

function lookInside(project) {
  const there = join(project, 'node_modules/extpoll')
  const files = readdirSync(there, { recursive: true })
  const faults = files.filter((name) => /\.map$|(^|\/)\.|(^|\/)prebuild\.mjs$/.test(name))
  for (const name of files.filter((one) => one.endsWith('.js')))
    if (readFileSync(join(there, name), 'utf8').includes('//# sourceMappingURL='))
      faults.push(`${name} names a source map`)
  if (!files.includes('CHANGELOG.md')) faults.push('CHANGELOG.md is missing')
  if (faults.length > 0) throw new Error(`the package: ${faults.join('; ')}`)
}

/** What the package needs, as files, so that npm has nothing to ask anybody for. */
function packDependencies() {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.keys(dependencies).map((name) => {
    const there = join(root, 'node_modules', name)
    const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder, there]
    return join(
      folder,
      run(root, 'npm', ...args)
        .trim()
        .split('\n')
        .at(-1),
    )
  })
}

/** Kind -> what its package.json says. CommonJS gets our ES modules by `require`. */
const kinds = { esm: 'module', cjs: 'commonjs' }

function install(kind, dependencies) {
  const project = join(folder, kind)
  mkdirSync(project)
  cpSync(join(root, 'test/consumer/main.ts'), join(project, 'main.ts'))
  const manifest = { name: `consumer-${kind}`, private: true, type: kinds[kind] }
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest))
  const quiet = ['--ignore-scripts', '--offline', '--no-audit', '--no-fund', '--silent']
  run(project, 'npm', 'install', ...quiet, file, ...dependencies)
  // The compiler and Node's types are the user's own; here they are lent.
  const options = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ skipLibCheck: false, module: 'node20', target: 'es2023', outDir: 'out' },
    ...{ types: ['node'], typeRoots: [join(root, 'node_modules/@types')], rootDir: '.' },
  }
  const config = { compilerOptions: options, files: ['main.ts'] }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
  run(project, bin('tsc'), '-p', '.')
  const compiled = readFileSync(join(project, 'out/main.js'), 'utf8')
  if (compiled.includes('require("extpoll")') !== (kind === 'cjs'))
    throw new Error(`${kind}: it was compiled to the other kind of module`)
  return project
}

/** Its lines: what came back in memory, and the port; then it is asked for an echo and ended. */
async function tryEcho(project) {
  const child = spawn(process.execPath, ['out/main.js'], {
    cwd: project,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (lines.length < 2) continue
    const socket = new WebSocket(`ws://127.0.0.1:${line}`, 'echo')
    await once(socket, 'open')
    socket.send('over epoll')
    const [data] = await once(socket, 'message')
    lines.push(data.toString())
    child.stdin.write('end\n')
    const [code] = await once(socket, 'close')
    lines.push(code)
  }
  const [status] = await ended
  const [inMemory, , overEpoll, code] = lines
  const seen = JSON.stringify([inMemory, overEpoll, code, status])
  const wanted = JSON.stringify(['1 in memory', '1 over epoll', 1001, 0])
  if (seen !== wanted) throw new Error(`it answered ${seen}, not ${wanted}`)
}

/** From what the package carries, as the message of a missing addon says. */
function buildFromPackage(project) {
  const there = join(project, 'node_modules/extpoll')
  rmSync(join(there, 'prebuilds'), { recursive: true })
  run(project, process.execPath, join(there, 'integrations/epoll-addon/build.mjs'))
}

console.log(run(root, bin('publint'), 'run', '--strict', file).trim())
// `require` of an ES module is what Node 20.19 and later do: for older ones it is wrong.
const rules = ['--ignore-rules', 'cjs-resolves-to-esm', '--exclude-entrypoints', './package.json']
console.log(run(root, bin('attw'), file, '--profile', 'node16', ...rules).trim())
const dependencies = packDependencies()
for (const kind of Object.keys(kinds)) {
  const project = install(kind, dependencies)
  await tryEcho(project)
  console.log(`${kind}: installed, compiled, echoed`)
  if (kind !== 'esm') continue
  lookInside(project)
  buildFromPackage(project)
  await tryEcho(project)
  console.log(`${kind}: built from what the package carries, echoed`)
}
