/**
 * The addon of the epoll integration: one function after the other, then what it does with misuse.
 *
 * Sockets are on 127.0.0.1, on ports the system chooses, or Unix sockets in a folder of the test.
 */
import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, readdirSync, statSync } from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { addon } from '../integrations/epoll-addon/binding.js'
import { adopt, recvText, release, sendText } from '../integrations/epoll.js'
import { socketIo, tcpAddress, unixAddress } from '../integrations/epoll.js'
import { Errno, WOULD_BLOCK, type IoBuffer } from '../src/index.js'
import { closePair, needsAddon, runChild, runChildWell, tcpPair } from './support/epoll-addon.js'
import { temporaryFolder, unixPair, type SocketPair } from './support/epoll-addon.js'

const { EADDRINUSE, EBADF, EINVAL, ENAMETOOLONG, ENOENT, EPIPE, EXDEV, ELOOP } = Errno

const codeOf = (code: string) => ({ code })

/** Sends until the kernel takes no more, and reads it all at the other side: neither blocks. */
function fill(fd: number, buffer: IoBuffer): number {
  let total = 0
  for (;;) {
    const count = socketIo.send(fd, buffer, 0, buffer.bytes.length)
    if (count < 0) {
      assert.equal(count, WOULD_BLOCK)
      return total
    }
    total += count
  }
}

function drain(fd: number, buffer: IoBuffer): number {
  let total = 0
  for (;;) {
    const count = socketIo.recv(fd, buffer, 0, buffer.bytes.length)
    if (count <= 0) return total
    total += count
  }
}

/** Waits until loopback has delivered: at once as a rule, but nothing promises it. */
function soon<T>(ask: () => T, done: (answer: T) => boolean): T {
  for (let tries = 0; ; tries++) {
    const answer = ask()
    if (done(answer) || tries > 200) return answer
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  }
}

describe('60 the addon: bytes over sockets', () => {
  needsAddon()

  let pair: SocketPair
  let buffer: IoBuffer

  beforeEach(() => {
    pair = tcpPair()
    buffer = socketIo.createBuffer(65_536)
  })

  afterEach(() => {
    closePair(pair)
    socketIo.freeBuffer(buffer)
  })

  it('gives zeroed memory of the length asked for', () => {
    assert.equal(buffer.bytes.length, 65_536)
    assert.equal(buffer.bytes.equals(Buffer.alloc(65_536)), true)
  })

  it('moves bytes between the memory and the socket, at the offset and length given', () => {
    buffer.bytes.write('....hello', 'latin1')
    assert.equal(socketIo.send(pair.client, buffer, 4, 5), 5)
    assert.equal(socketIo.recv(pair.server, buffer, 100, 1000), 5)
    assert.equal(buffer.bytes.toString('latin1', 99, 106), '\0hello\0')
  })

  it('answers WOULD_BLOCK where nothing waits, and 0 at the end of file', () => {
    assert.equal(socketIo.recv(pair.server, buffer, 0, 10), WOULD_BLOCK)
    assert.equal(socketIo.shutdown(pair.client), 0)
    const ask = () => socketIo.recv(pair.server, buffer, 0, 10)
    assert.equal(
      soon(ask, (count) => count !== WOULD_BLOCK),
      0,
    )
  })

  it('never blocks on send, and loses nothing of what it took', () => {
    const taken = fill(pair.client, buffer)
    assert.ok(taken > 65_536, `only ${taken} bytes were taken`)
    let received = drain(pair.server, buffer)
    soon(
      () => (received += drain(pair.server, buffer)),
      (total) => total >= taken,
    )
    assert.equal(received, taken)
  })

  it('sends several pieces of any memory in order, empty ones included', () => {
    const parts = [Buffer.from('ab'), new Uint8Array(0), new Uint8Array([99]), Buffer.from('de')]
    assert.equal(socketIo.sendv(pair.client, parts), 5)
    assert.equal(socketIo.sendv(pair.client, []), 0)
    assert.equal(socketIo.sendv(pair.client, [new Uint8Array(0)]), 0)
    const sixtyFour = Array.from({ length: 64 }, () => Buffer.from('x'))
    assert.equal(socketIo.sendv(pair.client, sixtyFour), 64)
    assert.equal(socketIo.recv(pair.server, buffer, 0, 100), 69)
    assert.equal(buffer.bytes.toString('latin1', 0, 69), `abcde${'x'.repeat(64)}`)
  })

  it('refuses parts that are more than 64, detached, or no bytes', () => {
    const detached = new Uint8Array(8)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const tooMany = Array.from({ length: 65 }, () => Buffer.from('x'))
    const wrong = [new Uint16Array(2), 'text', null, new DataView(new ArrayBuffer(2)), detached]
    const refused = codeOf('ERR_EXTPOLL_ARGUMENT_TYPE')
    assert.throws(() => socketIo.sendv(pair.client, tooMany), refused)
    for (const part of wrong) {
      assert.throws(() => socketIo.sendv(pair.client, [Buffer.from('x'), part as never]), refused)
    }
    assert.equal(socketIo.recv(pair.server, buffer, 0, 100), WOULD_BLOCK)
  })

  it('raises no SIGPIPE towards a peer that is gone', () => {
    assert.equal(socketIo.close(pair.server, true), 0)
    soon(
      () => socketIo.send(pair.client, buffer, 0, 1),
      (count) => count === -EPIPE,
    )
    assert.equal(socketIo.send(pair.client, buffer, 0, 1), -EPIPE)
    assert.equal(socketIo.sendv(pair.client, [Buffer.from('x')]), -EPIPE)
  })

  it('resets the connection when closed with abort, and takes the error once', () => {
    assert.equal(socketIo.close(pair.server, true), 0)
    const ask = () => socketIo.socketError(pair.client)
    assert.equal(
      soon(ask, (error) => error !== 0),
      Errno.ECONNRESET,
    )
    assert.equal(socketIo.socketError(pair.client), 0)
  })

  it('masks as RFC 6455 5.3 says, at every alignment', () => {
    const key = [0x12, 0xf4, 0x56, 0x78]
    const number = Buffer.from(key).readInt32LE(0)
    for (let offset = 0; offset < 9; offset++) {
      for (const length of [0, 1, 3, 4, 31, 32, 33, 100, 257]) {
        const clear = Buffer.from(Array.from({ length }, (_, i) => (i * 7 + offset) & 0xff))
        buffer.bytes.fill(0xaa, 0, 300)
        clear.copy(buffer.bytes, offset)
        socketIo.mask(buffer, offset, length, offset % 2 === 0 ? number : number >>> 0)
        const expected = Buffer.concat([
          Buffer.alloc(offset, 0xaa),
          Buffer.from(clear.map((byte, i) => byte ^ key[i % 4]!)),
          Buffer.alloc(300 - offset - length, 0xaa),
        ])
        assert.deepEqual(buffer.bytes.subarray(0, 300), expected)
      }
    }
  })

  it('refuses what lies outside of the memory, and memory that was freed', () => {
    const range = codeOf('ERR_EXTPOLL_ARGUMENT_RANGE')
    const outside = [
      [0, 65_537],
      [65_536, 1],
      [65_537, 0],
      [-1, 1],
      [1, -1],
      [2 ** 53 - 1, 2 ** 53 - 1],
      [0.5, 1],
      [NaN, 1],
    ] as const
    for (const [offset, length] of outside) {
      assert.throws(() => socketIo.recv(pair.server, buffer, offset, length), range)
      assert.throws(() => socketIo.send(pair.server, buffer, offset, length), range)
      assert.throws(() => socketIo.mask(buffer, offset, length, 1), range)
    }
    assert.throws(() => socketIo.recv(pair.server, buffer, 0, 0), range)
    const freed = socketIo.createBuffer(100)
    socketIo.freeBuffer(freed)
    const unknown = codeOf('ERR_EXTPOLL_BUFFER')
    assert.throws(() => socketIo.recv(pair.server, freed, 0, 1), unknown)
    assert.throws(() => socketIo.freeBuffer(freed), unknown)
    const next = socketIo.createBuffer(100)
    assert.notEqual(next.id, freed.id)
    socketIo.freeBuffer(next)
  })

  it('refuses descriptors that were neither made nor adopted here, 0 to 2 always', () => {
    const file = openSync('/dev/null', 'r+')
    try {
      for (const fd of [0, 1, 2, -1, file, 2 ** 31 - 1]) {
        assert.equal(socketIo.recv(fd, buffer, 0, 1), -EBADF)
        assert.equal(socketIo.send(fd, buffer, 0, 1), -EBADF)
        assert.equal(socketIo.sendv(fd, [Buffer.from('x')]), -EBADF)
        assert.equal(socketIo.accept(fd), -EBADF)
        assert.equal(socketIo.shutdown(fd), -EBADF)
        assert.equal(socketIo.close(fd, false), -EBADF)
        assert.equal(socketIo.socketError(fd), EBADF)
        assert.equal(socketIo.sendFile(fd, fd, 0, 1), -EBADF)
        assert.equal(socketIo.fileInfo(fd), -EBADF)
        assert.equal(socketIo.readFile(fd, 0, buffer, 0, 1), -EBADF)
        assert.equal(addon().eventWrite(fd), -EBADF)
        assert.equal(socketIo.peerAddress(fd).family, '')
        assert.throws(() => adopt(fd), codeOf('ERR_EXTPOLL_FD'))
      }
    } finally {
      closeSync(file)
    }
  })

  it('forgets all of a listener that is given away', () => {
    const before = readdirSync('/proc/self/fd').length
    for (let round = 0; round < 10; round++) {
      const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
      release(listenFd)
      assert.equal(socketIo.shed(listenFd, Buffer.from('x')), -EBADF)
      closeSync(listenFd)
    }
    assert.equal(readdirSync('/proc/self/fd').length, before)
  })

  it('gives a socket away with release, and takes it back with adopt', () => {
    release(pair.client)
    assert.equal(socketIo.send(pair.client, buffer, 0, 1), -EBADF)
    assert.throws(() => release(pair.client), codeOf('ERR_EXTPOLL_FD'))
    adopt(pair.client)
    assert.throws(() => adopt(pair.client), codeOf('ERR_EXTPOLL_FD'))
    assert.equal(socketIo.send(pair.client, buffer, 0, 1), 1)
  })
})

describe('60 the addon: addresses', () => {
  needsAddon()

  it('listens and connects over IPv4 and IPv6, and says where everybody is', function () {
    for (const address of ['127.0.0.1', '::1']) {
      const listenFd = socketIo.listen({ address, port: 0, backlog: 16 })
      if (address === '::1' && listenFd < 0) continue // a machine without IPv6
      const here = socketIo.localAddress(listenFd)
      assert.equal(here.address, address)
      assert.equal(here.family, address === '::1' ? 'IPv6' : 'IPv4')
      const client = socketIo.connect(tcpAddress(address, here.port))
      const server = socketIo.accept(listenFd)
      assert.deepEqual(socketIo.peerAddress(client), here)
      assert.deepEqual(socketIo.peerAddress(server), socketIo.localAddress(client))
      assert.equal(socketIo.accept(listenFd), WOULD_BLOCK)
      const there = socketIo.localAddress(client)
      socketIo.close(client, true)
      assert.ok(socketIo.sendv(server, [Buffer.from('x')]) < 0, 'a reset')
      assert.deepEqual(socketIo.peerAddress(server), there)
      socketIo.close(server, false)
      socketIo.close(listenFd, false)
      assert.equal(socketIo.localAddress(listenFd).family, '')
    }
  })

  it('takes no names, no NUL, and no port out of range', () => {
    const range = codeOf('ERR_EXTPOLL_ARGUMENT_RANGE')
    for (const address of ['localhost', '', '127.0.0.1.5', '1::2::3', '::1%', '300.0.0.1']) {
      assert.equal(socketIo.listen({ address, port: 0, backlog: 1 }), -EINVAL)
      assert.equal(socketIo.connect(tcpAddress(address, 80)), -EINVAL)
    }
    assert.throws(() => socketIo.connect(tcpAddress('127.0.0.1\0', 80)), range)
    assert.throws(() => socketIo.connect(tcpAddress('127.0.0.1', 65_536)), range)
    assert.throws(() => socketIo.listen({ address: '::1', port: -1, backlog: 1 }), range)
  })

  it('answers EADDRINUSE for a port that is taken', () => {
    const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 16 })
    const { port } = socketIo.localAddress(listenFd)
    assert.equal(socketIo.listen({ address: '127.0.0.1', port, backlog: 1 }), -EADDRINUSE)
    socketIo.close(listenFd, false)
  })

  it('serves a Unix socket, and removes its file with the listener', () => {
    const folder = temporaryFolder()
    const path = join(folder.path, 'control')
    try {
      const listenFd = socketIo.listen({ address: '', port: 0, path, backlog: 16 })
      const pair = unixPair(listenFd, path)
      const buffer = socketIo.createBuffer(100)
      assert.equal(socketIo.peerAddress(pair.client).name, path)
      assert.equal(sendText(pair.client, 'status\n'), 7)
      assert.equal(recvText(pair.server, buffer), 'status\n')
      assert.equal(recvText(pair.server, buffer), WOULD_BLOCK)
      assert.equal(socketIo.listen({ address: '', port: 0, path, backlog: 1 }), -EADDRINUSE)
      closePair(pair)
      socketIo.freeBuffer(buffer)
      socketIo.close(listenFd, false)
      assert.equal(existsSync(path), false)
    } finally {
      folder.remove()
    }
  })

  it('replaces a Unix socket file only where nobody accepts there', async () => {
    const folder = temporaryFolder()
    const path = join(folder.path, 'left-over')
    const listen = () => socketIo.listen({ address: '', port: 0, path, backlog: 1 })
    try {
      const { signal } = await runChild('./epoll-child.ts', ['leave-unix-socket', path])
      assert.equal(signal, 'SIGKILL')
      assert.equal(statSync(path).isSocket(), true)
      const listenFd = listen()
      assert.ok(listenFd > 2, `listen answered ${listenFd}`)
      socketIo.close(listenFd, false)
      writeFileSync(path, 'a file of somebody')
      assert.equal(listen(), -EADDRINUSE)
      assert.equal(statSync(path).size, 18)
    } finally {
      folder.remove()
    }
    const long = socketIo.listen({ address: '', port: 0, path: `/${'x'.repeat(120)}`, backlog: 1 })
    assert.equal(long, -ENAMETOOLONG)
    assert.equal(socketIo.connect(unixAddress('')), -EINVAL)
  })
})

describe('60 the addon: files beneath a root', () => {
  needsAddon()

  let folder: ReturnType<typeof temporaryFolder> | undefined
  let root: string

  before(() => {
    folder = temporaryFolder()
    root = join(folder.path, 'root')
    execFileSync('mkdir', ['-p', join(root, 'inner')])
    writeFileSync(join(folder.path, 'secret'), 'secret')
    writeFileSync(join(root, 'inner', 'page.txt'), 'the page')
    symlinkSync('inner/page.txt', join(root, 'inside'))
    symlinkSync('../secret', join(root, 'outside'))
    symlinkSync('/etc', join(root, 'absolute'))
    execFileSync('mkfifo', [join(root, 'fifo')])
  })

  after(() => folder?.remove())

  for (const walk of [false, true]) {
    const how = walk ? 'component by component' : 'by openat2'

    it(`opens what is beneath the root and nothing else, ${how}`, () => {
      const open = (path: string): number => {
        const fd = addon().openFile(root, path, walk)
        if (fd >= 0) socketIo.closeFile(fd)
        return Math.sign(fd) === 1 ? 0 : fd
      }
      assert.equal(open('inner/page.txt'), 0)
      assert.equal(open('.//inner/./page.txt'), 0)
      assert.equal(open('inner'), 0)
      assert.equal(open('absent'), -ENOENT)
      assert.equal(open('../secret'), -EXDEV)
      assert.equal(open('inner/../../secret'), -EXDEV)
      assert.equal(open('/etc/passwd'), -EXDEV)
      assert.equal(open('inside'), walk ? -ELOOP : 0)
      assert.equal(open('outside'), walk ? -ELOOP : -EXDEV)
      assert.ok(open('absolute/passwd') < 0)
      assert.equal(open('fifo'), 0)
      assert.equal(addon().openFile(join(root, 'absent'), 'x', walk), -ENOENT)
    })
  }

  it('tells what a file is, and reads and sends it from any offset', () => {
    const fileFd = socketIo.openFile(root, 'inner/page.txt')
    const info = socketIo.fileInfo(fileFd)
    assert.ok(typeof info === 'object')
    const { size, mtimeMs, ino } = statSync(join(root, 'inner', 'page.txt'))
    const expected = { sizeBytes: size, inode: ino, regular: true, directory: false }
    assert.deepEqual({ ...info, modifiedMs: 0 }, { ...expected, modifiedMs: 0 })
    assert.ok(Math.abs(info.modifiedMs - mtimeMs) < 0.01)
    const pair = tcpPair()
    const buffer = socketIo.createBuffer(100)
    assert.equal(socketIo.sendFile(pair.client, fileFd, 4, 100), 4)
    assert.equal(socketIo.sendFile(pair.client, fileFd, 8, 100), 0)
    assert.equal(recvText(pair.server, buffer), 'page')
    assert.equal(socketIo.readFile(fileFd, 4, buffer, 10, 90), 4)
    assert.equal(buffer.bytes.toString('latin1', 10, 14), 'page')
    socketIo.closeFile(fileFd)
    assert.equal(socketIo.sendFile(pair.client, fileFd, 0, 1), -EBADF)
    closePair(pair)
    socketIo.freeBuffer(buffer)
  })
})

describe('60 the addon: misuse', () => {
  needsAddon()

  for (const mode of ['freed', 'collected', 'moved', 'managed', 'worker-ends', 'getter-detaches']) {
    it(`keeps memory valid for both sides: ${mode}`, async () => {
      await runChildWell('./epoll-memory-child.ts', [mode], { nodeArgs: ['--expose-gc'] })
    })
  }
})
