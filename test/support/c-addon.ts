/** A small addon in C of this folder, compiled on the spot for a test. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const headers = [
  join(dirname(dirname(process.execPath)), 'include/node'),
  join(homedir(), '.cache/node-gyp', process.versions.node, 'include/node'),
].find((folder) => existsSync(join(folder, 'node_api.h')))

/** @returns what is missing, where it cannot be compiled here */
export function compileAddon(source: string, output: string): string | undefined {
  if (headers === undefined) return 'the headers of this node'
  const file = fileURLToPath(new URL(source, import.meta.url))
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-O1']
  const args = [...flags, '-shared', '-fPIC', `-I${headers}`, file, '-o', output]
  const { error, status, stderr } = spawnSync(process.env['CC'] ?? 'cc', args, { encoding: 'utf8' })
  if (error !== undefined) return 'a C compiler (cc, or CC)'
  if (status !== 0) throw new Error(stderr)
  return undefined
}
