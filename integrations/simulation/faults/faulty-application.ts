/**
 * An application that misbehaves: callbacks that throw, re-enter and destroy, around the
 * user's own.
 *
 * What the user wrote runs as it is, before or after. Refuses to know what a protocol does.
 */
import { Reason, close, contextDestroy, getSocketFd, serviceFd } from '../../../src/index.js'
import type { AnyProtocolDefinition, Context, ProtocolCallback, Wsi } from '../../../src/index.js'
import type { Environment } from '../world/environment.js'
import type { Endpoint } from '../endpoint.js'
import { SimulatedError } from './faulty-poll-set.js'

/** What the host of the application does about it. */
export interface ApplicationHost {
  endpointOf(fd: number): Endpoint | undefined
  /** The peer of this connection sends its close frame now. */
  closeByPeer(endpoint: Endpoint | undefined): void
  /** The context was destroyed by one of its callbacks. */
  destroyed(): void
  /** The library allowed what it must refuse. */
  fail(sentence: string): void
}

/** The callbacks of a connection in the middle of its life. */
const IN_LIFE: readonly number[] = [Reason.ESTABLISHED, Reason.RECEIVE, Reason.SERVER_WRITEABLE]

export function faultyProtocol(
  protocol: AnyProtocolDefinition,
  world: Environment,
  host: ApplicationHost,
): AnyProtocolDefinition {
  const inner = protocol.callback as ProtocolCallback
  const callback: ProtocolCallback = (...args) => {
    const [ctx, wsi, reason] = args
    if (!world.faults.active || wsi === null || !IN_LIFE.includes(reason)) return inner(...args)
    misbehaveBefore(world, host, ctx, wsi)
    const answer = inner(...args)
    misbehaveAfter(world, host, ctx, wsi)
    return answer
  }
  return { ...protocol, callback }
}

/** @throws SimulatedError */
function misbehaveBefore(world: Environment, host: ApplicationHost, ctx: Context, wsi: Wsi): void {
  const { faults } = world
  if (faults.fires('re-enters')) {
    world.fold(getSocketFd(wsi))
    reenter(host, ctx)
  }
  if (!faults.fires('callback-throws')) return
  world.harm(host.endpointOf(getSocketFd(wsi)), 'callback-throws')
  throw new SimulatedError('the callback throws')
}

function misbehaveAfter(world: Environment, host: ApplicationHost, ctx: Context, wsi: Wsi): void {
  const { faults } = world
  if (faults.fires('simultaneous-close')) {
    const endpoint = host.endpointOf(getSocketFd(wsi))
    world.harm(endpoint, 'simultaneous-close')
    close(wsi, 1001)
    host.closeByPeer(endpoint)
  }
  if (!faults.fires('destroys-in-callback')) return
  world.harm(undefined, 'destroys-in-callback')
  contextDestroy(ctx)
  host.destroyed()
}

function reenter(host: ApplicationHost, ctx: Context): void {
  try {
    serviceFd(ctx, null)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_EXTPOLL_REENTRANT_CALL') return
    throw error
  }
  host.fail('C8: serviceFd inside a callback was not refused')
}
