/**
 * The states of a connection, and which event leads where. Progress lives elsewhere; legality here.
 *
 * Rules for whoever edits this: states are what may still be *received and sent*, not how we got
 * there; an event missing in a row cannot happen in that state; ENDED has no way out.
 * Source: RFC 6455 1.2 and 7.1; CONTRACT.md C3, C19.
 */
export const State = {
  /** Client: the name is being resolved. No descriptor yet. */
  RESOLVING: 0,
  /** Client: addresses are being tried, each with a descriptor of its own. */
  CONNECTING: 1,
  /** Client: the proxy was asked for a tunnel; reading its answer. */
  PROXY: 2,
  /** Client: the upgrade was asked for; reading the answer. */
  UPGRADING: 3,
  /** Reading a request head. */
  REQUEST: 4,
  /** A filter decides later; bytes that come meanwhile wait. */
  DEFERRED: 5,
  /** An HTTP request: its body comes, the application answers, or both. */
  HTTP: 6,
  /** Messages both ways. */
  OPEN: 7,
  /** Our close frame is on its way; the peer may still send, and owes us its own. */
  CLOSING: 8,
  /** The transport takes no more from us; what the peer sent before is still delivered (C17). */
  DRAINING: 9,
  /** Nothing received counts any more; what is queued still leaves. */
  FLUSHING: 10,
  /**
   * All was sent, FIN too; reading until the peer ends, so that no reset takes the last bytes away.
   */
  LINGERING: 11,
  ENDED: 12,
} as const

export type StateNumber = (typeof State)[keyof typeof State]

export type ConnectionEvent =
  | 'resolved'
  | 'tunnel'
  | 'ask'
  | 'defer'
  | 'http'
  | 'answered'
  | 'accept'
  | 'close sent'
  | 'send failed'
  | 'last write'
  | 'linger'
  | 'end'

const transitions: Readonly<Record<StateNumber, Partial<Record<ConnectionEvent, StateNumber>>>> = {
  [State.RESOLVING]: { resolved: State.CONNECTING, end: State.ENDED },
  [State.CONNECTING]: { tunnel: State.PROXY, ask: State.UPGRADING, end: State.ENDED },
  [State.PROXY]: { ask: State.UPGRADING, end: State.ENDED },
  [State.UPGRADING]: { accept: State.OPEN, end: State.ENDED },
  [State.REQUEST]: {
    defer: State.DEFERRED,
    http: State.HTTP,
    accept: State.OPEN,
    'last write': State.FLUSHING,
    end: State.ENDED,
  },
  [State.DEFERRED]: { accept: State.OPEN, 'last write': State.FLUSHING, end: State.ENDED },
  [State.HTTP]: { answered: State.REQUEST, 'last write': State.FLUSHING, end: State.ENDED },
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
