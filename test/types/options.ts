/**
 * What createContext and the hosts take. Compiled by 72.types.test.ts, never run.
 *
 * Each line marked `@ts-expect-error` must be an error: the compiler says so where it is none.
 */
import { createContext, faults, limits, nextTimeout, POLLIN, serviceFd } from 'extpoll'
import type { CloseInfo, Context, FaultName, Host, LimitName, OnHandlers } from 'extpoll'
import type { PollChange, Pollfd, ProtocolDefinition, ServiceResult } from 'extpoll'
import { epollHost, Poller, rawHost, service } from 'extpoll/epoll'
import { checked, fakePoller } from 'extpoll/fake-poller'
import { is } from './same-type.js'

declare const host: Host
declare const ctx: Context
declare const protocols: readonly ProtocolDefinition[]

// Limits stand beside the other options, by their names.
createContext({ host, protocols, maxMessageBytes: 65_536, pingIntervalMs: 0 })
createContext({ host, protocols, port: 0, address: '::1', allowedOrigins: 'any' })
createContext({ host, protocols, allowedOrigins: (origin) => origin.startsWith('https:') })
// @ts-expect-error: the unit is part of the name
createContext({ host, protocols, maxMessage: 65_536 })
// @ts-expect-error: it is called pingIntervalMs
createContext({ host, protocols, pingInterval: 1000 })
// @ts-expect-error: limits are numbers
createContext({ host, protocols, maxConnections: '10' })
// @ts-expect-error: a context needs a host
createContext({ protocols })
// @ts-expect-error: and protocols
createContext({ host })
// @ts-expect-error: 'any', a list, or a function
createContext({ host, protocols, allowedOrigins: true })
// @ts-expect-error: 'refuse' or 'accept'
createContext({ host, protocols, unknownProtocol: 'ignore' })

is<number>()(limits.maxMessageBytes.default)
// @ts-expect-error: there is no such limit
export const noLimit: LimitName = 'maxMessages'
// @ts-expect-error: the table is not to be written to
limits.maxMessageBytes = limits.maxFrameBytes
is<FaultName>()(undefined as unknown as CloseInfo['cause'])
is<string>()(faults.TEXT_UTF8.sentence)

// Announcements.
export const on: readonly OnHandlers[] = [
  {},
  { ADD_POLL_FD() {} },
  { ADD_POLL_FD: (fd, events) => [is<number>()(fd), is<number>()(events)] },
  { SET_MODE: (_fd, _events, change) => void is<PollChange>()(change) },
  { SET_TIMEOUT: (timeoutMs, deadlineMs) => [timeoutMs, is<number | null>()(deadlineMs)] },
]
// @ts-expect-error: the event is called SET_MODE; SET_MODE_POLL_FD is the reason
export const reason: OnHandlers = { SET_MODE_POLL_FD() {} }
ctx.on('DEL_POLL_FD', (fd) => void is<number>()(fd)).off('DEL_POLL_FD', () => {})
// @ts-expect-error: there is no such event
ctx.on('CLOSED', () => {})

// Service.
is<ServiceResult>()(serviceFd(ctx, { fd: 3, revents: POLLIN }))
is<'handled' | 'more'>()(serviceFd(ctx, null))
is<number>()(nextTimeout(ctx))
// @ts-expect-error: readiness is in revents, as poll(2) has it
serviceFd(ctx, { fd: 3, events: POLLIN })
// @ts-expect-error: nothing is null, not left out
serviceFd(ctx)

// A context and a connection are made by the library only.
// @ts-expect-error: an object of one's own is no Context
nextTimeout({})

// Hosts.
createContext({ host: epollHost(), protocols })
createContext({ host: rawHost(), protocols })
createContext({ host: fakePoller({ edge: true }).host, protocols })
createContext({ host: checked(epollHost()), protocols })
is<Poller>()(checked(epollHost()).poller)
service(ctx, 0)
// @ts-expect-error: 'epoll' or 'poll'
new Poller({ backend: 'select' })
// @ts-expect-error: a wait fills an array and answers a count
for (const pollfd of new Poller().wait([], 0)) serviceFd(ctx, pollfd)
export function wait(poller: Poller, ready: Pollfd[]): number {
  return poller.wait(ready, -1)
}
