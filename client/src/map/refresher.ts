// Which previews are asked for again, a few at a time: what the person does meanwhile needs connections, too.

import { isSettled } from './progress'
import type { Tile } from './tile'

export interface Refresher {
  /** Asks for these again, as far as they are previews, or become some, in this order. */
  add(tiles: readonly Tile[]): void
  /** Another picture is wanted of all tiles: what waits is of no use any more. */
  clear(): void
  drop(tile: Tile): void
  /** Nothing is begun while this is on. */
  hold(on: boolean): void
}

export function createRefresher(most: number): Refresher {
  const waiting = new Set<Tile>()
  const running = new Set<Tile>()
  let held = false

  const finish = (tile: Tile): void => {
    running.delete(tile)
    next()
  }
  const next = (): void => {
    for (const tile of waiting) {
      if (held || running.size >= most) return
      // The answer that it waits for may be older than the news: it is asked again after that.
      if (running.has(tile) || !isSettled(tile.state)) continue
      waiting.delete(tile)
      if (tile.state !== 'preview') continue
      running.add(tile)
      void tile.refresh().finally(() => finish(tile))
    }
  }
  return {
    add(tiles) {
      for (const tile of tiles) waiting.add(tile)
      next()
    },
    clear: () => waiting.clear(),
    drop: (tile) => {
      waiting.delete(tile)
    },
    hold(on) {
      held = on
      next()
    },
  }
}
