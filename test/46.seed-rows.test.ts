/**
 * Every row of the seed's API has a test by its name, and every test of those files is a row's.
 *
 * The list is data; what is not there yet says what it waits for, and nothing else may be missing.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './support/programs.js'

/** A row's name -> 'here', or what it comes with. */
const ROWS: Readonly<Record<string, 'here' | { readonly later: string }>> = {
  // Functions of the seed
  createContext: 'here',
  contextDestroy: 'here',
  service: 'here',
  serviceFd: 'here',
  callbackOnWritable: 'here',
  callbackOnWritableAllProtocol: 'here',
  getSocketFd: 'here',
  rxFlowControl: 'here',
  canonicalHostname: 'here',
  forkServiceLoop: { later: 'needs processes and threads that share a broadcast' },
  getProtocol: 'here',
  broadcast: 'here',
  openBroadcast: { later: 'the same from another process: with forkServiceLoop' },
  write: 'here',
  serveHttpFile: 'here',
  remainingPacketPayload: 'here',
  isFinalFragment: 'here',
  isBinary: 'here',
  clientConnect: 'here',
  hangupOnClient: 'here',
  close: 'here',
  hangup: 'here',
  getPeerAddresses: 'here',

  // Beyond the seed
  getListenAddress: 'here',
  pollFds: 'here',
  stopListening: 'here',
  closeAll: 'here',
  adoptSocket: 'here',
  detachSocket: 'here',
  httpRespond: 'here',
  answerHandshake: 'here',
  batch: 'here',
  prepareFrame: 'here',

  // Reasons
  FILTER_NETWORK_CONNECTION: 'here',
  FILTER_PROTOCOL_CONNECTION: 'here',
  ESTABLISHED: 'here',
  RECEIVE: 'here',
  RECEIVE_PONG: 'here',
  SERVER_WRITEABLE: 'here',
  BROADCAST: 'here',
  CLOSED: 'here',
  HTTP: 'here',
  HTTP_CLOSED: 'here',
  ADD_POLL_FD: 'here',
  DEL_POLL_FD: 'here',
  SET_MODE_POLL_FD: 'here',
  CLEAR_MODE_POLL_FD: 'here',
  HTTP_BODY: 'here',
  HTTP_WRITEABLE: 'here',
  HTTP_COMPLETE: 'here',
  CLIENT_ESTABLISHED: 'here',
  CLIENT_CONNECTION_ERROR: 'here',
  CLIENT_RECEIVE: 'here',
  CLIENT_RECEIVE_PONG: 'here',
  CLIENT_WRITEABLE: 'here',

  // Protocols and callbacks
  reasons: 'here',
  filters: 'here',
  Protocol: 'here',
  selection: 'here',
  ietfVersion: 'here',
  createSession: 'here',
  payload: 'here',
  delivery: 'here',
  callback: 'here',
  defineProtocol: 'here',

  // Parts of rows that are here
  'createContext tls': { later: 'TLS' },
  'createContext DEFEAT_CLIENT_MASK': 'here',
  'write HTTP, HTTP_FINAL': 'here',
  'Protocol broadcastSocketPath': { later: 'with openBroadcast' },
}

const FILES = /^4[56]\.seed-(?!rows).*\.test\.ts$/

/** The titles of a file's tests, as they stand there. */
function titlesOf(file: string): string[] {
  const text = readFileSync(join(projectRoot, 'test', file), 'utf8')
  return [...text.matchAll(/^\s*it\(\s*(['"`])(.*?)\1/gm)].map(([, , title]) => title!)
}

/** A title that is made per reason names each of them. */
function namesIn(title: string): string[] {
  const [name = ''] = title.split(':')
  if (name !== '${reason}') return [name]
  return ['ADD_POLL_FD', 'DEL_POLL_FD', 'SET_MODE_POLL_FD', 'CLEAR_MODE_POLL_FD']
}

describe('46 the rows of the seed', () => {
  const files = readdirSync(join(projectRoot, 'test')).filter((name) => FILES.test(name))
  const tested = new Set(files.flatMap(titlesOf).flatMap(namesIn))

  it('each has a test by its name, or says what it waits for', () => {
    assert.ok(files.length >= 4, files.join(', '))
    const here = Object.keys(ROWS).filter((name) => ROWS[name] === 'here')
    assert.deepEqual([...tested].sort(), here.sort())
  })

  it('nothing waits that the library has', async () => {
    const library: object = await import('../src/index.js')
    const epoll: object = await import('../integrations/epoll.js')
    const there = Object.entries(ROWS)
      .filter(([name, row]) => row !== 'here' && (name in library || name in epoll))
      .map(([name]) => name)
    assert.deepEqual(there, [])
  })
})
