import { beforeEach, expect, it } from 'vitest'
import type { Watched } from '../../src/api/events'
import { createFeed, type Feed, type Listener } from '../../src/api/feed'
import { createUrls } from '../../src/api/urls'
import { FakeClock } from '../clock'

const A: Watched = { cube: 'a.fits', layer: 'SCI', v: 'f00d' }
const B: Watched = { cube: 'a.fits', layer: 'DQ', v: 'f00d' }
const PIXELS = { level: 2, planes: [0, 1], box: [0, 0, 9, 9] }

/** One connection, as the server sees it. */
interface Connection {
  readonly url: URL
  readonly sent: unknown[]
  closed: boolean
  say(message: object): void
  end(code: number): void
}

let clock: FakeClock
let connections: Connection[]
let forbidden: boolean
let feed: Feed
beforeEach(() => {
  clock = new FakeClock()
  connections = []
  forbidden = false
  feed = createFeed(createUrls('http://host/'), {
    clock,
    random: () => 1,
    open(url, message, closed) {
      if (forbidden) throw new Error('not by this policy')
      const made: Connection = {
        url: new URL(url),
        sent: [],
        closed: false,
        say: (one) => message(JSON.stringify(one)),
        end: closed,
      }
      connections.push(made)
      return {
        send: (text) => made.sent.push(JSON.parse(text)),
        close: () => {
          made.closed = true
        },
      }
    },
  })
})

function listener() {
  const heard: unknown[] = []
  const made: Listener = {
    hearing: (state) => heard.push(state),
    anew: () => heard.push('anew'),
    exact: (region) => heard.push(['exact', region.level]),
    building: (progress) => heard.push(['building', progress?.done ?? null]),
    built: () => heard.push('built'),
    failed: (message) => heard.push(['failed', message]),
  }
  /** What was heard since the last time. */
  return { made, heard: () => heard.splice(0) }
}
const last = (): Connection => connections.at(-1) as Connection
const hello = (watched: Watched, id: number, boot = 'b1', builds = true) =>
  last().say({ id, type: 'hello', boot, builds, ...watched })

it('listens, and passes on what is said of what it watches', () => {
  const one = listener()
  feed.watch(A, one.made)
  expect(last().url.href).toBe('ws://host/events?cube=a.fits&layer=SCI&v=f00d')
  hello(A, 4)
  expect(one.heard()).toEqual(['live', 'anew'])
  last().say({ id: 5, type: 'exact', ...PIXELS, ...A })
  last().say({ id: 6, type: 'exact', ...PIXELS, ...B })
  last().say({ id: 7, type: 'building', done: 3, total: 4, rate: 1, left: 1, ...A })
  last().say({ id: 8, type: 'built', ...A })
  last().say({ id: 9, type: 'failed', msg: 'no space', ...A })
  last().say({ id: 10, type: 'reset', ...A })
  last().say({ nonsense: true })
  expect(one.heard()).toEqual([['exact', 2], ['building', 3], 'built', ['failed', 'no space'], 'anew'])
})

it('goes on after a break from the last event it has heard', () => {
  const one = listener()
  feed.watch(A, one.made)
  hello(A, 4)
  last().say({ id: 5, type: 'exact', ...PIXELS, ...A })
  one.heard()
  last().end(1006)
  expect(one.heard()).toEqual(['none', ['building', null]])
  clock.advance(249)
  expect(connections).toHaveLength(1)
  clock.advance(1)
  expect(last().url.searchParams.get('since')).toBe('b1.5')
  hello(A, 5)
  last().say({ id: 7, type: 'exact', ...PIXELS, ...A })
  // What was heard is not asked for again.
  expect(one.heard()).toEqual(['live', ['exact', 2]])
  last().end(1001)
  clock.advance(250)
  expect(last().url.searchParams.get('since')).toBe('b1.7')
})

it('does not take the hello of another server for what it has missed', () => {
  const one = listener()
  feed.watch(A, one.made)
  hello(A, 4)
  last().end(1006)
  clock.advance(250)
  hello(A, 90, 'b2')
  // Cut off between the hello and the reset.
  last().end(1006)
  clock.advance(500)
  expect(last().url.searchParams.get('since')).toBe('b1.4')
  hello(A, 91, 'b2')
  one.heard()
  last().say({ id: 92, type: 'reset', ...A })
  expect(one.heard()).toEqual(['anew'])
  last().end(1006)
  clock.advance(500)
  expect(last().url.searchParams.get('since')).toBe('b2.92')
})

it('asks less and less often where nothing opens', () => {
  feed.watch(A, listener().made)
  const times: number[] = []
  for (let i = 0; i < 9; i += 1) {
    const before = connections.length
    last().end(1006)
    const began = clock.now()
    while (connections.length === before) clock.advance(50)
    times.push(clock.now() - began)
  }
  expect(times).toEqual([250, 500, 1000, 2000, 4000, 8000, 60_000, 60_000, 60_000])
})

it('lives with a page that may not open any', () => {
  forbidden = true
  feed.watch(A, listener().made)
  forbidden = false
  clock.advance(250)
  expect(connections).toHaveLength(1)
  hello(A, 1)
})

it('does not insist on what the server refuses', () => {
  const one = listener()
  feed.watch(A, one.made)
  last().end(4404)
  clock.advance(1e6)
  expect(connections).toHaveLength(1)
  // Being unpacked: that ends.
  feed.watch(B, one.made)
  last().end(4503)
  clock.advance(250)
  expect(connections).toHaveLength(3)
})

it('tells the same socket of another layer, and hears nothing more of the first', () => {
  const one = listener()
  const two = listener()
  const stop = feed.watch(A, one.made)
  hello(A, 4)
  one.heard()
  stop()
  clock.advance(5000)
  feed.watch(B, two.made)
  expect(connections).toHaveLength(1)
  expect(last().sent).toEqual([{ watch: B }])
  last().say({ id: 5, type: 'exact', ...PIXELS, ...A })
  last().say({ id: 6, type: 'exact', ...PIXELS, ...B })
  expect([one.heard(), two.heard()]).toEqual([[], []])
  // Cut off before the answer: nothing was heard of it yet, so everything has to be asked for.
  last().end(1006)
  clock.advance(250)
  expect(last().url.searchParams.has('since')).toBe(false)
  expect(last().url.searchParams.get('layer')).toBe('DQ')
  two.heard()
  hello(B, 8)
  expect(two.heard()).toEqual(['live', 'anew'])
})

it('tells of another layer only after the answer about the one before', () => {
  const two = listener()
  feed.watch(A, listener().made)()
  feed.watch(B, two.made)
  expect(last().sent).toEqual([])
  hello(A, 4)
  expect([last().sent, two.heard()]).toEqual([[{ watch: B }], []])
  hello(B, 5)
  expect(two.heard()).toEqual(['live', 'anew'])
  expect(connections).toHaveLength(1)
})

it('is told of a layer also where the first was refused, or answered when nobody was there', () => {
  const two = listener()
  feed.watch(A, listener().made)()
  hello(A, 4)
  feed.watch(B, two.made)
  expect(last().sent).toEqual([{ watch: B }])
  const three = listener()
  feed.watch(A, three.made)
  last().end(4409)
  clock.advance(250)
  expect(last().url.searchParams.get('layer')).toBe('SCI')
  hello(A, 9)
  expect(three.heard()).toContain('anew')
})

it('a listener that begins while an older one resumes is told to ask anew', () => {
  feed.watch(A, listener().made)
  hello(A, 4)
  last().end(1006)
  clock.advance(250)
  const two = listener()
  feed.watch(A, two.made)
  hello(A, 4)
  expect(two.heard()).toEqual(['live', 'anew'])
})

it('closes what nobody has listened to for a while, and opens nothing any more', () => {
  const stop = feed.watch(A, listener().made)
  hello(A, 4)
  stop()
  clock.advance(9999)
  expect(last().closed).toBe(false)
  clock.advance(1)
  expect(last().closed).toBe(true)
  last().end(1000)
  clock.advance(1e6)
  expect(connections).toHaveLength(1)
  const again = feed.watch(A, listener().made)
  expect(connections).toHaveLength(2)
  last().end(1006)
  again()
  clock.advance(1e6)
  expect(connections).toHaveLength(2)
})
