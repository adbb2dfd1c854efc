/**
 * Where the body of an answer comes from, where the application does not write it piece by piece:
 * a file, for instance. Asked for bytes when the transport takes them, so that a body of any size
 * costs no memory. A source is made for one connection, and knows it.
 *
 * How an answer gets one: `answerFrom` in src/http/answer.ts. Who asks: `driveAnswer` in
 * src/http/answer-progress.ts, when the outermost call unwinds and whenever the socket is writable.
 */
/** `pull` has moved everything: the answer is complete. */
export const PULLED_ALL = 0

export interface BodySource {
  /**
   * Moves bytes of the body to the transport. Only called while nothing else of this connection
   * waits to be sent, so that what is moved lies behind it: bytes go straight to the connection's
   * seam (`sendFile`), or into the cork (`transmitBytes`), and are sent before the next pull.
   *
   * It is asked again, within the same call as long as the budget lasts, until it answers
   * something else than a number of bytes; so a short count needs no second attempt of its own.
   *
   * @param maxBytes what is left of `txBudgetBytes`, 1 at least: no more may be moved
   * @returns bytes moved (> 0); PULLED_ALL; WOULD_BLOCK or WOULD_BLOCK_UNTIL_READABLE: it is asked
   *   again when the socket is ready; any other negative number: the body cannot be completed, and
   *   the connection is reset, because its length was told already
   */
  pull(maxBytes: number): number
  /** The answer is complete, or never will be. Called exactly once; gives back what it holds. */
  close(): void
}
