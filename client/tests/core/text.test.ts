import { expect, it } from 'vitest'
import { formatBytes, formatDuration, formatNumber } from '../../src/core/format'
import { angularBar, pixelBar } from '../../src/core/scale'

it('formats numbers', () => {
  expect([0, 1.25, -0.4, 123456.789, 1e-17, 1.5e9, 0.00012345678].map((n) => formatNumber(n))).toEqual([
    '0',
    '1.25',
    '-0.4',
    '123457',
    '1e-17',
    '1.5e9',
    '0.000123457',
  ])
  expect(formatNumber(Number.NaN)).toBe('–')
})

it('formats sizes', () => {
  expect([0, 999, 1000, 2.34e6, 1e12].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.00 kB',
    '2.34 MB',
    '1.00 TB',
  ])
})

it('formats times, never as nothing', () => {
  expect([0, 0.2, 5.1, 99.5, 100, 5999, 6000, 1e6].map(formatDuration)).toEqual([
    '1 s',
    '1 s',
    '6 s',
    '100 s',
    '2 min',
    '100 min',
    '2 h',
    '278 h',
  ])
})

it('makes scale bars of round lengths that fit', () => {
  expect(angularBar(1 / 100, 140)).toEqual({ label: '1°', width: 100 })
  expect(angularBar(1 / 3600, 140).label).toBe('2′')
  expect(angularBar(0.1 / 3600, 140)).toEqual({ label: '10″', width: expect.closeTo(100) })
  expect(angularBar(0.001 / 3600, 140).label).toBe('0.1″')
  expect(angularBar(1e-6 / 3600, 140).label).toBe('0.1 mas')
  expect(pixelBar(1, 140)).toEqual({ label: '100 px', width: 100 })
  expect(pixelBar(0.125, 140)).toEqual({ label: '10 px', width: 80 })
  for (let e = -9; e < 0; e += 0.1) {
    const { width } = angularBar(10 ** e, 140)
    expect(width).toBeLessThanOrEqual(140.001)
    expect(width).toBeGreaterThan(40)
  }
})
