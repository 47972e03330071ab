import { beforeEach, expect, it } from 'vitest'
import type { Listener } from '../../src/api/feed'
import { createExact, type Exact } from '../../src/viewer/exact'
import { FakeClock } from '../clock'

const WATCHED = { cube: 'a.fits', layer: 'SCI', v: 'f00d' }
const REGION = { level: 2, planes: [0, 1], box: [0, 0, 9, 9] } as const

let clock: FakeClock
let listeners: Listener[]
let stopped: number
let asked: unknown[]
let hidden: boolean
let exact: Exact
beforeEach(() => {
  clock = new FakeClock()
  listeners = []
  stopped = 0
  asked = []
  hidden = false
  const feed = {
    watch(watched: unknown, listener: Listener) {
      expect(watched).toEqual(WATCHED)
      listeners.push(listener)
      return () => {
        stopped += 1
      }
    },
  }
  const host = {
    refresh: (region?: unknown) => asked.push([clock.now(), region ?? 'all']),
    building: () => {},
    built: () => {},
    failed: () => {},
    hidden: () => hidden,
  }
  exact = createExact(feed, WATCHED, host, clock)
})
const listener = (): Listener => listeners[0] as Listener

it('costs nothing where there are no previews', () => {
  for (let i = 0; i < 10; i += 1) exact.previews(0)
  clock.advance(1e6)
  expect([listeners, asked]).toEqual([[], []])
})

it('listens once there is one, and asks for what is exact now', () => {
  exact.previews(1)
  exact.previews(5)
  expect(listeners).toHaveLength(1)
  listener().hearing('live')
  listener().anew()
  listener().exact(REGION)
  expect(asked).toEqual([
    [0, 'all'],
    [0, REGION],
  ])
})

it('asks by itself where nothing can be heard: less and less often, and not on a page that nobody sees', () => {
  exact.previews(3)
  const times = () => asked.splice(0).map((one) => (one as [number])[0])
  clock.advance(30_000)
  expect(times()).toEqual([4000, 10_000, 19_000])
  clock.advance(270_000)
  const gaps = times().map((time, n, all) => (n === 0 ? 0 : time - (all[n - 1] as number)))
  expect(Math.max(...gaps)).toBe(60_000)
  hidden = true
  clock.advance(600_000)
  expect(times()).toEqual([])
  hidden = false
  clock.advance(60_000)
  expect(times()).toHaveLength(1)
  // Other previews than those that nothing came of so far.
  exact.previews(9)
  clock.advance(4000)
  expect(times()).toHaveLength(1)
  exact.previews(0)
  clock.advance(1e6)
  expect(times()).toEqual([])
})

it('asks seldom where it can hear, and not while there is news', () => {
  exact.previews(3)
  listener().hearing('live')
  for (let i = 0; i < 10; i += 1) {
    clock.advance(15_000)
    listener().exact(REGION)
  }
  expect(asked.filter((one) => (one as [number, unknown])[1] === 'all')).toEqual([])
  clock.advance(20_000)
  expect(asked.at(-1)).toEqual([170_000, 'all'])
  listener().hearing('none')
  clock.advance(4000)
  expect(asked.at(-1)).toEqual([174_000, 'all'])
})

it('leaves previews alone that are final', () => {
  exact.previews(3)
  listener().hearing('final')
  expect(stopped).toBe(1)
  exact.previews(8)
  clock.advance(1e6)
  expect([listeners.length, asked]).toEqual([1, []])
})

it('ends', () => {
  exact.previews(3)
  exact.stop()
  clock.advance(1e6)
  expect([stopped, asked]).toEqual([1, []])
})
