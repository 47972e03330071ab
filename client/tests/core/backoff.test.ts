import { describe, expect, it } from 'vitest'
import { delay, parseRetryAfter } from '../../src/core/backoff'

describe('delay', () => {
  it('doubles from a quarter of a second to eight', () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 50].map((attempt) => delay(attempt, () => 1))
    expect(longest).toEqual([0.25, 0.5, 1, 2, 4, 8, 8, 8])
  })

  it('is spread over the upper half', () => {
    expect(delay(3, () => 0)).toBe(1)
    expect(delay(3, () => 0.5)).toBe(1.5)
  })

  it('honours Retry-After, within reason', () => {
    expect(delay(0, () => 0, 3)).toBe(3)
    expect(delay(6, () => 1, 3)).toBe(8)
    expect(delay(0, () => 0, 86400)).toBe(60)
  })
})

describe('Retry-After', () => {
  it('is seconds or a date', () => {
    const now = Date.parse('2026-11-23T12:00:00Z')
    expect(parseRetryAfter('2.5', now)).toBe(2.5)
    expect(parseRetryAfter('Mon, 23 Nov 2026 12:00:09 GMT', now)).toBe(9)
    expect(parseRetryAfter('Mon, 23 Nov 2026 11:00:00 GMT', now)).toBe(0)
    expect(parseRetryAfter('soon', now)).toBeUndefined()
    expect(parseRetryAfter(null, now)).toBeUndefined()
  })
})
