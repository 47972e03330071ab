// One answer at a time: a new question aborts the one before, and comes no sooner than `interval` ms after it.

import { type Clock, systemClock } from './pacer'

export interface Latest<A> {
  ask(argument: A): void
  cancel(): void
}

export function createLatest<A>(
  run: (argument: A, signal: AbortSignal) => Promise<void>,
  interval: number,
  clock: Clock = systemClock,
): Latest<A> {
  let controller: AbortController | undefined
  let timer: number | undefined
  let last = Number.NEGATIVE_INFINITY

  const cancel = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer)
    timer = undefined
    controller?.abort()
    controller = undefined
  }
  return {
    cancel,
    ask(argument) {
      cancel()
      const start = (): void => {
        last = clock.now()
        timer = undefined
        controller = new AbortController()
        void run(argument, controller.signal)
      }
      const wait = last + interval - clock.now()
      if (wait <= 0) start()
      else timer = clock.setTimeout(start, wait)
    },
  }
}
