// Feeding a slow consumer from a fast producer (a slider that is being dragged). Aborting at every move would
// starve the picture when a round trip takes longer than the moves; queueing would lag. So: while the
// consumer is busy only the latest value is kept, and it is handed over as soon as the consumer is done, or
// after `patience` at the latest. The first value waits for `interval` too: what a drag begins with is seldom
// what it is about. An urgent value (the slider was let go) is handed over at once.

export interface Clock {
  now(): number
  setTimeout(callback: () => void, ms: number): number
  clearTimeout(timer: number): void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => window.setTimeout(callback, ms),
  clearTimeout: (timer) => window.clearTimeout(timer),
}

export interface Pacer<T> {
  offer(value: T, urgent: boolean): void
  /** What waits is wanted now. */
  flush(): void
  /** The consumer is done with what it was last given. */
  idle(): void
  /** Whether a value is waiting to be handed over. */
  readonly waiting: boolean
  stop(): void
}

export interface Pace {
  /** The least time from a value to its hand-over, and between two hand-overs, in ms. */
  interval: number
  /** The longest a value waits for a busy consumer, in ms. */
  patience: number
}

export function createPacer<T>(
  consume: (value: T) => void,
  pace: Pace,
  clock: Clock = systemClock,
): Pacer<T> {
  let pending: { value: T; since: number } | undefined
  let timer: number | undefined
  let last = Number.NEGATIVE_INFINITY
  let busy = false

  const clear = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer)
    timer = undefined
  }
  const deliver = (value: T): void => {
    clear()
    pending = undefined
    last = clock.now()
    busy = true
    consume(value)
  }
  const schedule = (): void => {
    clear()
    if (pending === undefined) return
    const due = Math.max(last + (busy ? pace.patience : pace.interval), pending.since + pace.interval)
    const wait = due - clock.now()
    if (wait <= 0) deliver(pending.value)
    else timer = clock.setTimeout(() => pending && deliver(pending.value), wait)
  }
  return {
    offer(value, urgent) {
      pending = { value, since: pending?.since ?? clock.now() }
      if (urgent) deliver(value)
      else schedule()
    },
    flush() {
      if (pending !== undefined) deliver(pending.value)
    },
    idle() {
      busy = false
      schedule()
    },
    get waiting() {
      return pending !== undefined
    },
    stop() {
      clear()
      pending = undefined
    },
  }
}
