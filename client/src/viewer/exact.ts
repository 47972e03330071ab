// From previews to exact pictures: listens to the server while there are some, and asks now and then by itself,
// seldom where the server can be heard (another one, behind the same address, may have done the work), less seldom
// where it cannot. Nothing is opened or asked for a cube that has no previews.

import type { Building, Region, Watched } from '../api/events'
import type { Feed, Hearing } from '../api/feed'
import { type Clock, systemClock } from '../core/pacer'

export interface ExactHost {
  /** Asks again for the previews that show some of a region, or for all. */
  refresh(region?: Region): void
  building(progress: Building | null): void
  built(): void
  failed(message: string): void
  /** Nobody sees the page. */
  hidden(): boolean
}

export interface Exact {
  /** Told how many previews are on the screen whenever that may have changed. */
  previews(count: number): void
  stop(): void
}

/** In ms: the first time, and how much longer each further one is, up to the last. */
const PAUSES: Readonly<Record<'live' | 'none', number>> = { live: 20_000, none: 4000 }
const GROWTH = 1.5
const LONGEST = 60_000

export function createExact(
  feed: Feed,
  watched: Watched,
  host: ExactHost,
  clock: Clock = systemClock,
): Exact {
  let hearing: Hearing = 'none'
  let unwatch: (() => void) | undefined
  let count = 0
  let timer: number | undefined
  let pause = PAUSES.none

  const rest = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer)
    timer = undefined
  }
  const look = (): void => {
    timer = undefined
    if (!host.hidden()) {
      host.refresh()
      pause = Math.min(LONGEST, pause * GROWTH)
    }
    wait()
  }
  const wait = (): void => {
    rest()
    if (count > 0 && hearing !== 'final') timer = clock.setTimeout(look, pause)
  }
  /** Something has happened: the next look is as far away as it is at first. */
  const begin = (): void => {
    if (hearing !== 'final') pause = PAUSES[hearing]
    wait()
  }
  const listen = (): void => {
    unwatch = feed.watch(watched, {
      hearing(state) {
        if (state === hearing) return
        hearing = state
        begin()
        // There is nothing to hear, for as long as this cube is open.
        if (state === 'final') unwatch?.()
      },
      anew: () => host.refresh(),
      exact(region) {
        host.refresh(region)
        begin()
      },
      building: host.building,
      built: host.built,
      failed: host.failed,
    })
  }
  return {
    previews(now) {
      const before = count
      count = now
      if (now > 0 && !unwatch) listen()
      if (now > before) begin()
      else if (now === 0) rest()
    },
    stop() {
      rest()
      count = 0
      unwatch?.()
    },
  }
}
