import { beforeEach, describe, expect, it } from 'vitest'
import { createLatest } from '../../src/core/latest'
import { createPacer } from '../../src/core/pacer'
import { FakeClock } from '../clock'

let clock: FakeClock
beforeEach(() => {
  clock = new FakeClock()
})

describe('pacer', () => {
  const make = (got: number[]) =>
    createPacer<number>((n) => got.push(n), { interval: 100, patience: 1000 }, clock)

  it('hands the latest value over after a moment, then the latest when the consumer is done', () => {
    const got: number[] = []
    const pacer = make(got)
    pacer.offer(0, false)
    clock.advance(99)
    pacer.offer(1, false)
    expect(got).toEqual([])
    clock.advance(1)
    expect(got).toEqual([1])
    for (let n = 2; n < 10; n += 1) pacer.offer(n, false)
    clock.advance(300)
    expect(got).toEqual([1])
    expect(pacer.waiting).toBe(true)
    pacer.idle()
    expect(got).toEqual([1, 9])
    expect(pacer.waiting).toBe(false)
  })

  it('keeps its rate with a fast consumer', () => {
    const got: number[] = []
    const pacer = make(got)
    for (let n = 0; n < 50; n += 1) {
      pacer.offer(n, false)
      pacer.idle()
      clock.advance(10)
    }
    expect(got.length).toBeLessThanOrEqual(6)
    clock.advance(200)
    expect(got[got.length - 1]).toBe(49)
  })

  it('does not wait for a stuck consumer for ever', () => {
    const got: number[] = []
    const pacer = make(got)
    pacer.offer(1, false)
    clock.advance(100)
    pacer.offer(2, false)
    clock.advance(999)
    expect(got).toEqual([1])
    clock.advance(1)
    expect(got).toEqual([1, 2])
  })

  it('lets urgent values pass', () => {
    const got: number[] = []
    const pacer = make(got)
    pacer.offer(1, false)
    clock.advance(100)
    pacer.offer(2, false)
    pacer.offer(3, true)
    clock.advance(5000)
    expect(got).toEqual([1, 3])
  })
})

describe('latest', () => {
  it('aborts the question before and keeps its rate', () => {
    const asked: [string, AbortSignal][] = []
    const latest = createLatest<string>(
      async (argument, signal) => {
        asked.push([argument, signal])
      },
      100,
      clock,
    )
    latest.ask('a')
    latest.ask('b')
    latest.ask('c')
    expect(asked.map(([name]) => name)).toEqual(['a'])
    expect(asked[0]?.[1].aborted).toBe(true)
    clock.advance(100)
    expect(asked.map(([name]) => name)).toEqual(['a', 'c'])
    expect(asked[1]?.[1].aborted).toBe(false)
    latest.cancel()
    expect(asked[1]?.[1].aborted).toBe(true)
  })
})
