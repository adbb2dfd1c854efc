/** Where a command that serves listens, as its first line tells it. */
import type { SocketAddress } from '../../src/index.js'
import { printLine } from './print.js'

/** `listening on ws://127.0.0.1:9000` */
export function tellListening(scheme: 'ws' | 'http', at: SocketAddress): void {
  const host = at.family === 'IPv6' ? `[${at.address}]` : at.address
  printLine(`listening on ${scheme}://${host}:${at.port}`)
}
