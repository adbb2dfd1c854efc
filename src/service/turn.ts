/** Turns: where one call serves many connections, each handles its part of the messages (C13). */
import { type Connection } from '../connection/connection.js'
import { type ContextState } from '../context/context-state.js'
import { serviceConnection } from './service-connection.js'

/** One connection's turn: its part of the messages, so that many floods make no long round. */
export function takeTurn(core: ContextState, connection: Connection, revents: number): void {
  const others = beginTurn(core)
  serviceConnection(core, connection, revents)
  endTurn(core, others)
}

/** @returns the messages that the call may handle beside this turn's */
export function beginTurn({ budget, limits }: ContextState): number {
  const messages = Math.min(budget.messages, limits.turnMessageBudget)
  const others = budget.messages - messages
  budget.messages = messages
  return others
}

export function endTurn(core: ContextState, others: number): void {
  const { budget } = core
  core.turnMessages = core.limits.turnMessageBudget - budget.messages
  budget.messages += others
}
