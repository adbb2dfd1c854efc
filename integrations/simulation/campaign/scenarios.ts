/**
 * The named scenarios: the workload, the museum of bugs that pollers and their libraries have had,
 * and the twelve faults of this library's ancestor.
 *
 * A row says which faults make the old bug show, under which limits, and what is played. The
 * checker and the play judge; sources are in each row.
 */
import type { FaultName } from '../faults/fault-table.js'
import type { ChooseLimits, SimContextOptions, SimHostOptions } from '../world/sim-host.js'
import type { SimulateOptions } from '../world/simulate.js'
import { chooseLimits } from './limits-swarm.js'
import type { Play } from './play.js'
import { plays } from './plays.js'
import type { PlayName } from './plays.js'
import { workloadScenario } from './scenario.js'
import type { Scenario } from './scenario.js'

type Row = readonly [
  name: string,
  about: string,
  play: PlayName,
  faults: readonly FaultName[],
  context?: SimContextOptions,
]

const TIGHT: SimContextOptions = {
  rxBudgetBytes: 1024,
  txBudgetBytes: 1024,
  messageBudget: 2,
  acceptBudget: 1,
  endBudget: 1,
  broadcastBudget: 2,
}
const NARROW: SimContextOptions = { txHighWaterBytes: 2000, txLowWaterBytes: 500, corkMaxBytes: 64 }

// prettier-ignore
const rows: readonly Row[] = [
  ['tight-budgets', 'every budget as small as it may be', 'workload', ['recv-short', 'send-partial', 'batch-permuted'], TIGHT],
  ['narrow-marks', 'high-water marks of a few messages', 'workload', ['send-would-block', 'send-buffer-shrinks', 'clog'], NARROW],
  ['names-and-addresses', 'clients of the library, whose names and addresses do what they like', 'clients', ['name-hangs', 'name-late', 'name-empty', 'name-one-family', 'name-lies', 'name-answered-twice', 'address-unreachable', 'address-refuses', 'address-hangs', 'address-resets']],
  ['m01-del-after-close', 'DEL came after close (curl #124, #1776, #4211)', 'workload', ['fd-taken', 'close-interrupted', 'fd-reused-in-batch']],
  ['m02-del-never-sent', 'DEL was never sent (curl #16026)', 'workload', ['recv-reset', 'send-reset', 'gone-before-accept']],
  ['m03-del-unannounced', 'DEL for an fd that was never announced (curl #17949)', 'workload', ['throws-in-add', 'accept-aborted', 'accept-burst']],
  ['m04-state-survives-reuse', 'old state survived the reuse of an fd (curl PR #22895)', 'workload', ['fd-reused-in-batch', 'stale-on-reused-fd', 'gone-before-accept']],
  ['m05-del-twice', 'DEL came twice (lws #2500)', 'workload', ['simultaneous-close', 'recv-reset', 'hup-alone', 'dup-ghost']],
  ['m06-entry-skipped', 'an entry was skipped after a swap-remove (lws #2388)', 'workload', ['entry-skipped', 'recv-reset', 'accept-burst']],
  ['m07-disabled-spins', 'POLLIN while disabled span (lws #510)', 'pauses', ['spurious-in', 'mask-late', 'hup-alone']],
  ['m08-paused-wakes', 'a paused connection went on waking (lws #2360)', 'pauses', ['recv-short', 'err-alone', 'rdhup-half-close']],
  ['m09-pollout-armed', 'POLLOUT was armed with nothing to send (lws #235)', 'workload', ['spurious-out', 'send-would-block', 'send-partial']],
  ['m10-buffered-never-delivered', 'data above the kernel was never delivered (lws #354, #638, #3219)', 'bursts', ['readiness-delayed', 'recv-would-block'], TIGHT],
  ['m11-cap-closes', 'a work cap closed a healthy connection (lws #3185)', 'bursts', ['tiny-fragments', 'recv-one-byte'], TIGHT],
  ['m12-pong-not-retried', 'a pong that would block was never retried (tungstenite #393)', 'pings', ['send-would-block', 'send-partial', 'clog']],
  ['m13-keepalive-off', 'keepalive was off without a word (uvicorn #2884)', 'silence', ['silent-death', 'wake-late']],
  ['m14-timer-not-moved', 'a timer was not moved because one was active (quinn #587)', 'silence', ['wake-early', 'connect-hang', 'slow-handshake']],
  ['m15-timer-busy-loop', 'a timer fired for ever (quinn #686)', 'silence', ['clock-coarse', 'clock-frozen', 'wake-early']],
  ['m16-reentrant-cancel', 'an end inside a callback freed twice (c-ares CVE-2026-33630)', 'workload', ['destroys-in-callback', 'callback-throws', 'simultaneous-close']],
  ['m17-reentrant-pause', 'a pause inside a callback (curl, June 2026)', 'pauses', ['re-enters', 'batch-permuted', 'recv-short']],
  ['m18-dead-knob', 'a fault that never fires: run it with --gate yes', 'workload', ['recv-one-byte', 'send-partial', 'foreign-pollfd']],
  ['m19-early-entropy', 'entropy that repeats (FoundationDB #11766)', 'silence', ['entropy-repeats', 'zero-mask', 'repeated-key']],
  ['m20-stale-now', 'a reading of the clock that was kept', 'silence', ['wake-late', 'recv-interrupted', 'readiness-delayed']],
  ['f01-hup-before-in', 'POLLHUP was obeyed before POLLIN', 'lastWords', ['hup-with-in', 'readiness-delayed']],
  ['f02-close-after-del', 'a close frame was written after DEL', 'workload', ['send-partial', 'send-would-block', 'clog']],
  ['f03-flow-control-untold', 'flow control never told an external host', 'pauses', ['batch-permuted', 'readiness-delayed']],
  ['f04-closed-untold', 'CLOSED was not delivered when the peer closed first', 'lastWords', ['rdhup-half-close', 'reset-after-fin', 'close-race']],
  ['f05-short-write', 'short writes were reported as success', 'bursts', ['send-partial', 'send-buffer-shrinks', 'bandwidth-drop']],
  ['f06-glued-frames', "frame bytes glued to the handshake's end were lost", 'glued', ['slow-handshake', 'recv-short', 'latency-spike']],
  ['f07-closed-or-foreign', "1 meant both 'closed' and 'not mine'", 'workload', ['foreign-pollfd', 'stale-after-del', 'readiness-duplicated']],
  ['f08-accept-once', 'the listener accepted on any event, and once per call', 'workload', ['spurious-in', 'accept-emfile', 'accept-enfile', 'backlog-overflow']],
  ['f09-error-as-would-block', 'a read error and would-block were the same', 'workload', ['recv-would-block', 'recv-reset', 'recv-timed-out']],
  ['f10-zero-length', 'zero-length frames broke the parser', 'bursts', ['tiny-fragments', 'control-in-fragments', 'split-utf8']],
  ['f11-destroy-walk', 'destroy walked a table while changing it', 'workload', ['destroys-in-callback', 'accept-burst']],
  ['f12-broadcast-merged', 'broadcast merged messages', 'broadcasts', ['send-partial', 'send-would-block', 'swizzle-clog']],
]

/** The host of the clients, where there are any: like the server's. */
function hostsOf(
  { clientProtocol }: Pick<Play, 'clientProtocol'>,
  host: Omit<SimHostOptions, 'protocols'>,
): Pick<SimulateOptions, 'hosts'> {
  if (clientProtocol === undefined) return {}
  return { hosts: { clients: { ...host, protocols: [clientProtocol] } } }
}

const playNames = Object.keys(plays) as PlayName[]

/** What many seeds should be of: half of them the workload, the others each play in turn. */
const mixed: Scenario = {
  name: 'mixed',
  about: 'the workload and every play in turn, each on hosts of several ways',
  make(seed) {
    const turn = Math.floor(seed / 2) % playNames.length
    const play: Play = plays[seed % 2 === 1 ? 'workload' : playNames[turn]!]()
    const { protocol, act } = play
    const context: ChooseLimits = (choose) => ({ ...chooseLimits(choose), ...play.context })
    const host = { context, batches: play.batches ?? seed % 5 === 4 }
    const options = { protocols: [protocol], ...host, ...hostsOf(play, host) }
    return { options, play: act }
  },
}

/** Every scenario, the built-in workload first. */
export const scenarios: readonly Scenario[] = [
  workloadScenario,
  mixed,
  ...rows.map(([name, about, play, faults, context]): Scenario => ({
    name,
    about,
    faults,
    make() {
      const { protocol, act, context: needed, ...more }: Play = plays[play]()
      const host = { context: { ...context, ...needed } }
      const options = { protocols: [protocol], ...host, ...hostsOf(more, host) }
      return { options, play: act }
    },
  })),
]
