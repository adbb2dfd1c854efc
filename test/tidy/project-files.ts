/**
 * Reads the project's own text files: what git tracks or would track. Judges nothing.
 */
import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ProjectFile } from './tidy-rule.js'

export const projectRoot = fileURLToPath(new URL('../../', import.meta.url))

/** Every text file of the tree, tracked or new, sorted by path. */
export function readProjectFiles(): ProjectFile[] {
  const listed = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: projectRoot,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  const files: ProjectFile[] = []
  for (const path of new Set(listed.split('\0').filter(Boolean).sort())) {
    const stat = lstatSync(projectRoot + path, { throwIfNoEntry: false })
    if (!stat?.isFile()) continue
    const bytes = readFileSync(projectRoot + path)
    if (!bytes.includes(0)) files.push({ path, text: bytes.toString('utf8') })
  }
  return files
}
