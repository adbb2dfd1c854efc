/**
 * The work that one outermost call may still do (C13). A budget yields; it never fails a
 * connection.
 */
import { type Limits } from './limits.js'

/**
 * Read beyond `rxBudgetBytes`: a frame's longest header, so that a message as large as the budget
 * comes in one read, and is delivered where it lies.
 */
export const RX_HEADER_BYTES = 14

/** What is left of the budgets of the outermost call (C13). */
export class Budget {
  rxBytes = 0
  messages = 0
  txBytes = 0
  accepts = 0
  deadlines = 0
  ends = 0
  broadcasts = 0

  /** Enough is left for one more descriptor to do what it usually does. */
  isAmple(limits: Limits): boolean {
    return (
      this.rxBytes * 2 >= limits.rxBudgetBytes &&
      this.messages * 2 >= limits.messageBudget &&
      this.txBytes * 2 >= limits.txBudgetBytes &&
      this.ends * 2 >= limits.endBudget
    )
  }

  refill(limits: Limits): void {
    this.rxBytes = limits.rxBudgetBytes + RX_HEADER_BYTES
    this.messages = limits.messageBudget
    this.txBytes = limits.txBudgetBytes
    this.accepts = limits.acceptBudget
    this.deadlines = limits.deadlineBudget
    this.ends = limits.endBudget
    this.broadcasts = limits.broadcastBudget
  }
}
