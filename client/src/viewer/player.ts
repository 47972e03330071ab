// Runs through the channels. The next one is asked for when the last is on the screen, so that a slow server
// slows the film down and never tears it.

export interface Player {
  readonly playing: boolean
  toggle(): void
  stop(): void
  setRate(framesPerSecond: number): void
}

export function createPlayer(
  step: () => void,
  isSettled: () => boolean,
  changed: (playing: boolean) => void,
): Player {
  let timer: number | undefined
  let interval = 200
  let due = 0

  const tick = (): void => {
    const now = performance.now()
    if (now >= due && isSettled()) {
      due = now + interval
      step()
    }
    timer = window.setTimeout(tick, Math.max(10, Math.min(interval, due - performance.now())))
  }
  const stop = (): void => {
    if (timer === undefined) return
    window.clearTimeout(timer)
    timer = undefined
    changed(false)
  }
  return {
    get playing() {
      return timer !== undefined
    },
    toggle() {
      if (timer !== undefined) return stop()
      due = 0
      tick()
      changed(true)
    },
    stop,
    setRate(framesPerSecond) {
      interval = 1000 / framesPerSecond
    },
  }
}
