// How long to wait before asking again.

const FIRST = 0.25
const LONGEST = 8
/** Nobody may park us for longer than this, whatever Retry-After says. */
const PATIENCE = 60

/**
 * Seconds to wait after the `attempt`-th failure (from 0): doubling from 0.25 to 8 s. Half of it is jitter, so
 * that a hundred tiles that failed together do not come back together. A Retry-After of the server is a floor.
 */
export function delay(attempt: number, random: () => number, retryAfter?: number): number {
  const ceiling = Math.min(LONGEST, FIRST * 2 ** attempt)
  const jittered = ceiling * (0.5 + 0.5 * random())
  return Math.max(jittered, Math.min(retryAfter ?? 0, PATIENCE))
}

/** Retry-After in seconds: a count or an HTTP date. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000)
}
