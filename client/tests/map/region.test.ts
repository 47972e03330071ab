import { expect, it } from 'vitest'
import type { Region } from '../../src/api/events'
import type { Rendering } from '../../src/api/urls'
import { isSeenIn, isShownBy } from '../../src/map/region'

const region: Region = { level: 2, planes: [3, 5], box: [256, 100, 512, 300] }

it('touches the tiles that it lies in, and no neighbour', () => {
  const seen: string[] = []
  for (let row = 0; row < 4; row += 1)
    for (let column = 0; column < 4; column += 1)
      if (isSeenIn(region, { level: 2, row, column }, 256)) seen.push(`${row},${column}`)
  expect(seen).toEqual(['1,0', '1,1'])
  expect(isSeenIn(region, { level: 1, row: 1, column: 0 }, 256)).toBe(false)
  expect(isSeenIn({ ...region, box: [256, 100, 513, 300] }, { level: 2, row: 2, column: 0 }, 256)).toBe(true)
})

it('is shown by a channel of its planes, or a mix that has one', () => {
  const shown = (rendering: Partial<Rendering>) => isShownBy(region, rendering as Rendering)
  expect([2, 3, 4, 5].map((channel) => shown({ channel }))).toEqual([false, true, true, false])
  const mix = (...channels: number[]) => ({
    mix: channels.map((channel) => ({ channel, weights: [1, 0, 0] as const })),
  })
  expect([shown(mix(0, 4)), shown(mix(0, 5)), shown(mix())]).toEqual([true, false, false])
  expect(isShownBy({ ...region, planes: [0, 1] }, {} as Rendering)).toBe(true)
})
