/** Readiness as an adapter tells it: level-triggered as poll(2) does, else a little more. */
import { POLLHUP } from '../../src/index.js'
import type { FakeKernel } from './fake-kernel.js'

/**
 * An edge-triggered adapter on epoll reports EPOLLRDHUP as POLLHUP: the end of a peer may come in
 * one edge with its last bytes, and is told once (C12).
 */
export function readinessOn(kernel: FakeKernel, edge: boolean): (fd: number) => number {
  if (!edge) return (fd) => kernel.readiness(fd)
  return (fd) => kernel.readiness(fd) | (kernel.socketAt(fd)?.finReceived === true ? POLLHUP : 0)
}
