/*
 * Compiles the bench's C programs on the spot into .bench/, and says what is missing. The flags are
 * a careful program's usual ones, the same for yardstick and load. Knows nothing of measuring.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const benchDirectory = dirname(fileURLToPath(import.meta.url))
export const rootDirectory = dirname(dirname(benchDirectory))
export const outDirectory = join(rootDirectory, '.bench')
/** What the servers of files serve. */
export const filesRoot = join(outDirectory, 'www')
export const ourCommand = join(rootDirectory, 'dist/integrations/cli/extpoll.js')

const compiler = process.env.CC ?? 'cc'
const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra']
const programs = {
  load: [
    ...['load.c', 'phase.c', 'phase-echo.c', 'phase-broadcast.c', 'phase-upgrade.c'],
    ...['ws-client.c', 'payload.c', 'accept-key.c'],
  ],
  'bare-echo': ['bare-echo.c', 'accept-key.c'],
  'raw-echo': ['raw-echo.c'],
  'http-load': ['http-load.c', 'phase.c'],
}

export const programPath = (name) => join(outDirectory, name)

/** Builds all programs. Throws an Error whose message is one line for the user. */
export function buildPrograms() {
  mkdirSync(outDirectory, { recursive: true })
  for (const [name, sources] of Object.entries(programs)) {
    const files = sources.map((source) => join(benchDirectory, source))
    const fresh = programPath(`${name}.${process.pid}`)
    const options = { stdio: ['ignore', 'inherit', 'inherit'] }
    const result = spawnSync(compiler, [...flags, '-o', fresh, ...files], options)
    if (result.error) throw new Error(`no C compiler: '${compiler}' does not start (set CC)`)
    if (result.status !== 0) throw new Error(`'${compiler}' could not compile ${name}`)
    renameSync(fresh, programPath(name)) // a program that is running cannot be written over
  }
}

/** Throws where our own server has not been built yet. */
export function requireOurs() {
  if (existsSync(ourCommand)) return
  throw new Error('our server is not built: run `make build addon` first, or give --without-ours')
}
