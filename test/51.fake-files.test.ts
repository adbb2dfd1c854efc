/**
 * Files of the fake poller answer what files of Linux answer, call by call.
 *
 * Each row runs on both: the fake files, and the same tree made on disk. Without the addon the fake
 * ones are held against the table alone.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fakePoller } from '../integrations/fake-poller.js'
import type { FakePoller } from '../integrations/fake-poller.js'
import { socketIo } from '../integrations/epoll.js'
import { Errno, errnoName } from '../src/index.js'
import type { SocketIo } from '../src/index.js'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'

const OPENS: readonly (readonly [path: string, answer: string])[] = [
  ['page.txt', 'regular 8'],
  ['inner/page.txt', 'regular 5'],
  ['.//inner/./page.txt', 'regular 5'],
  ['inner/../page.txt', 'regular 8'],
  ['inner', 'directory'],
  ['inner/', 'directory'],
  ['.', 'directory'],
  ['fifo', 'other'],
  ['absent', 'ENOENT'],
  ['inner/absent', 'ENOENT'],
  ['', 'ENOENT'],
  ['page.txt/', 'ENOTDIR'],
  ['page.txt/x', 'ENOTDIR'],
  ['../secret', 'EXDEV'],
  ['inner/../../secret', 'EXDEV'],
  ['/etc/passwd', 'EXDEV'],
  ['outside', 'EXDEV'],
]

type FileIo = Required<Pick<SocketIo, 'openFile' | 'fileInfo' | 'readFile' | 'closeFile'>>

function opened(io: FileIo, root: string, path: string): string {
  const fd = io.openFile(root, path)
  if (fd < 0) return errnoName(fd)
  const info = io.fileInfo(fd)
  io.closeFile(fd)
  assert.ok(typeof info === 'object')
  return info.regular ? `regular ${info.sizeBytes}` : info.directory ? 'directory' : 'other'
}

function fakeTree(): FakePoller {
  const poller = fakePoller()
  const { files } = poller
  files.put('/srv/page.txt', 'the page')
  files.put('/srv/inner/page.txt', 'inner')
  files.put('/srv/fifo', '', { kind: 'fifo' })
  files.put('/srv/outside', '', { kind: 'link out' })
  files.put('/secret', 'secret')
  return poller
}

describe('51 files of the fake poller', () => {
  it('open as the table says, and leave no descriptor', () => {
    const poller = fakeTree()
    for (const [path, answer] of OPENS)
      assert.equal(opened(poller.host.io as FileIo, '/srv', path), answer, path)
    assert.equal(opened(poller.host.io as FileIo, '/absent', 'x'), 'ENOENT')
    assert.deepEqual(poller.openFds, [])
  })

  it('are what they were opened as, until somebody writes', () => {
    const { files, host } = fakeTree()
    const io = host.io as FileIo
    const into = host.io.createBuffer(100)
    const fd = io.openFile('/srv', 'page.txt')
    const other = files.put('/srv/page.txt', 'another')
    assert.equal(io.readFile(fd, 4, into, 0, 100), 4)
    assert.equal(into.bytes.toString('latin1', 0, 4), 'page')
    other.rewrite('x')
    assert.equal(opened(io, '/srv', 'page.txt'), 'regular 1')
    files.script.readFile.push(2, -Errno.EIO)
    assert.equal(io.readFile(fd, 0, into, 0, 100), 2)
    assert.equal(io.readFile(fd, 0, into, 0, 100), -Errno.EIO)
    assert.equal(io.readFile(fd, 8, into, 0, 100), 0)
    io.closeFile(fd)
    assert.throws(() => io.fileInfo(fd), { code: 'FAKE_KERNEL_MISUSE' })
  })

  it('need not hold the bytes that they have', () => {
    const poller = fakePoller()
    poller.files.put('/srv/big', { sizeBytes: 2 ** 40, byteAt: (offset) => offset % 251 })
    const io = poller.host.io as FileIo
    const into = poller.host.io.createBuffer(100)
    const fd = io.openFile('/srv', 'big')
    assert.equal(io.readFile(fd, 2 ** 40 - 3, into, 0, 100), 3)
    assert.equal(into.bytes[2], (2 ** 40 - 1) % 251)
    io.closeFile(fd)
  })
})

describe('51 files of Linux', () => {
  needsAddon()

  it('answer the same', () => {
    const folder = temporaryFolder()
    try {
      const root = join(folder.path, 'srv')
      mkdirSync(join(root, 'inner'), { recursive: true })
      writeFileSync(join(root, 'page.txt'), 'the page')
      writeFileSync(join(root, 'inner', 'page.txt'), 'inner')
      writeFileSync(join(folder.path, 'secret'), 'secret')
      execFileSync('mkfifo', [join(root, 'fifo')])
      symlinkSync('../secret', join(root, 'outside'))
      for (const [path, answer] of OPENS) assert.equal(opened(socketIo, root, path), answer, path)
      const into = socketIo.createBuffer(100)
      const fd = socketIo.openFile(root, 'page.txt')
      truncateSync(join(root, 'page.txt'), 2)
      assert.equal(socketIo.readFile(fd, 0, into, 0, 100), 2)
      assert.equal(socketIo.readFile(fd, 2, into, 0, 100), 0)
      socketIo.closeFile(fd)
      const folderFd = socketIo.openFile(root, 'inner')
      assert.equal(socketIo.readFile(folderFd, 0, into, 0, 100), -Errno.EISDIR)
      socketIo.closeFile(folderFd)
      socketIo.freeBuffer(into)
    } finally {
      folder.remove()
    }
  })
})
