import { expect, it } from 'vitest'
import type { TileState } from '../../src/map/progress'
import { createRefresher } from '../../src/map/refresher'
import type { Tile } from '../../src/map/tile'

/** A tile whose answers are given by hand. */
function fake(column: number, first: TileState = 'preview') {
  let state = first
  const answers: (() => void)[] = []
  const tile = {
    index: { level: 0, row: 0, column },
    get state() {
      return state
    },
    refresh: () => new Promise<void>((resolve) => answers.push(resolve)),
  } as unknown as Tile
  return {
    tile,
    asked: () => answers.length,
    become: (next: TileState) => {
      state = next
    },
    answer: async (next: TileState) => {
      state = next
      answers.at(-1)?.()
      await new Promise((resolve) => setTimeout(resolve))
    },
  }
}

it('asks for a few at a time, in order, and for each once', async () => {
  const fakes = Array.from({ length: 6 }, (_, n) => fake(n))
  const tiles = fakes.map(({ tile }) => tile)
  const asked = () => fakes.map((one) => one.asked())
  const refresher = createRefresher(2)
  refresher.add(tiles)
  refresher.add(tiles.slice(3))
  expect(asked()).toEqual([1, 1, 0, 0, 0, 0])
  await fakes[1]?.answer('exact')
  expect(asked()).toEqual([1, 1, 1, 0, 0, 0])
  for (const n of [0, 2, 3, 4, 5]) await fakes[n]?.answer(n === 3 ? 'preview' : 'exact')
  expect(asked()).toEqual([1, 1, 1, 1, 1, 1])
})

it('asks once more where the answer under way may be older than the news', async () => {
  const one = fake(0)
  const refresher = createRefresher(4)
  refresher.add([one.tile])
  refresher.add([one.tile])
  refresher.add([one.tile])
  expect(one.asked()).toBe(1)
  await one.answer('preview')
  expect(one.asked()).toBe(2)
  refresher.add([one.tile])
  await one.answer('exact')
  expect(one.asked()).toBe(2)
})

it('waits for a tile that is loading, and asks again only if it became a preview', async () => {
  const [late, exact, gone] = [fake(0, 'loading'), fake(1, 'retrying'), fake(2, 'loading')]
  const refresher = createRefresher(4)
  refresher.hold(true)
  refresher.add([late.tile, exact.tile, gone.tile])
  refresher.drop(gone.tile)
  for (const one of [late, gone]) one.become('preview')
  exact.become('exact')
  expect(late.asked()).toBe(0)
  refresher.hold(false)
  expect([late, exact, gone].map((one) => one.asked())).toEqual([1, 0, 0])
})

it('forgets what waits when another picture is wanted', async () => {
  const fakes = [fake(0), fake(1)]
  const refresher = createRefresher(1)
  refresher.add(fakes.map(({ tile }) => tile))
  refresher.clear()
  await fakes[0]?.answer('exact')
  expect(fakes.map((one) => one.asked())).toEqual([1, 0])
})
