/**
 * How long and how much: a test's patience and sizes, in CI, on a desk, and under sanitizers.
 *
 * CI does all of it. Elsewhere the long campaigns are a tenth as long, so that `make test` stays a
 * matter of minutes; CI=true has them whole.
 *
 * `make sanitize` sets the variable: everything is slower there, a process looks for leaks as it
 * ends, and what matters is that each path is taken, not how often.
 */
/** Whether the addon is one with sanitizers. */
export const sanitized = process.env.EXTPOLL_SANITIZED === '1'

/** A time that must not be exceeded: sixty times as long under sanitizers. */
export function patience(milliseconds: number): number {
  return sanitized ? milliseconds * 60 : milliseconds
}

const isWhole = process.env.CI === 'true'

/** How often a campaign repeats itself: a tenth outside of CI, a twentieth under sanitizers. */
export function campaign(count: number): number {
  return isWhole || sanitized ? repeats(count) : Math.ceil(count / 10)
}

/** How often something is repeated: a twentieth under sanitizers. */
export function repeats(count: number): number {
  return sanitized ? Math.ceil(count / 20) : count
}
