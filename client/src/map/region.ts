// Which tiles a region of a level is seen in.

import type { Region } from '../api/events'
import type { Rendering, TileIndex } from '../api/urls'

export function isSeenIn(region: Region, { level, row, column }: TileIndex, tileSize: number): boolean {
  const [top, left, bottom, right] = region.box
  const [y, x] = [row * tileSize, column * tileSize]
  return level === region.level && y < bottom && y + tileSize > top && x < right && x + tileSize > left
}

/** Whether any of the planes is shown. */
export function isShownBy(
  { planes: [first, last] }: Region,
  { mix, recipe, channel = 0 }: Rendering,
): boolean {
  // Which channels a recipe takes, the server knows.
  if (recipe) return true
  const channels = mix ? mix.map((key) => key.channel) : [channel]
  return channels.some((one) => one >= first && one < last)
}
