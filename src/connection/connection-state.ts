/**
 * The states of a connection, and which event leads where. Progress lives elsewhere; legality here.
 *
 * Rules for whoever edits this: states are what may still be *received and sent*, not how we got
 * there; an event missing in a row cannot happen in that state; ENDED has no way out.
 * Source: RFC 6455 1.2 and 7.1; CONTRACT.md C3, C19.
 */
export const State = {
  /** Reading a request head. */
  REQUEST: 0,
  /** A filter decides later; bytes that come meanwhile wait. */
  DEFERRED: 1,
  /** An HTTP request is being answered by the application. */
  HTTP: 2,
  /** Messages both ways. */
  OPEN: 3,
  /** Our close frame is on its way; the peer may still send, and owes us its own. */
  CLOSING: 4,
  /** The transport takes no more from us; what the peer sent before is still delivered (C17). */
  DRAINING: 5,
  /** Nothing received counts any more; what is queued still leaves. */
  FLUSHING: 6,
  /**
   * All was sent, FIN too; reading until the peer ends, so that no reset takes the last bytes away.
   */
  LINGERING: 7,
  ENDED: 8,
} as const

export type StateNumber = (typeof State)[keyof typeof State]

export type ConnectionEvent =
  'defer' | 'http' | 'accept' | 'close sent' | 'send failed' | 'last write' | 'linger' | 'end'

const transitions: Readonly<Record<StateNumber, Partial<Record<ConnectionEvent, StateNumber>>>> = {
  [State.REQUEST]: {
    defer: State.DEFERRED,
    http: State.HTTP,
    accept: State.OPEN,
    'last write': State.FLUSHING,
    end: State.ENDED,
  },
  [State.DEFERRED]: { accept: State.OPEN, 'last write': State.FLUSHING, end: State.ENDED },
  [State.HTTP]: { 'last write': State.FLUSHING, end: State.ENDED },
  [State.OPEN]: {
    'close sent': State.CLOSING,
    'send failed': State.DRAINING,
    'last write': State.FLUSHING,
    end: State.ENDED,
  },
  [State.CLOSING]: {
    'send failed': State.DRAINING,
    'last write': State.FLUSHING,
    end: State.ENDED,
  },
  [State.DRAINING]: { 'last write': State.FLUSHING, end: State.ENDED },
  [State.FLUSHING]: { linger: State.LINGERING, end: State.ENDED },
  [State.LINGERING]: { end: State.ENDED },
  [State.ENDED]: {},
}

/** The state after `event`, or undefined where the event cannot happen. */
export function nextState(state: StateNumber, event: ConnectionEvent): StateNumber | undefined {
  return transitions[state][event]
}
