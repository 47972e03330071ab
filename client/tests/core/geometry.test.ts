import { describe, expect, it } from 'vitest'
import {
  carryOver,
  fitsOfRaster,
  fitZoom,
  isInside,
  levelOfZoom,
  levelSize,
  rasterOfFits,
  scaleOfZoom,
  tileSize,
  zoomOfLevel,
  zoomOfScale,
} from '../../src/core/geometry'

describe('levels', () => {
  it('round sizes up', () => {
    expect(levelSize({ width: 5000, height: 3001 }, 0)).toEqual({ width: 5000, height: 3001 })
    expect(levelSize({ width: 5000, height: 3001 }, 3)).toEqual({ width: 625, height: 376 })
    expect(levelSize({ width: 1, height: 1 }, 9)).toEqual({ width: 1, height: 1 })
  })

  it('are what zooms are drawn from, clamped', () => {
    expect([0, 1, 5, 9, -3].map((zoom) => levelOfZoom(zoom, 5))).toEqual([5, 4, 0, 0, 5])
    expect(levelOfZoom(2.75, 5)).toBe(2)
    for (let level = 0; level <= 5; level += 1) expect(levelOfZoom(zoomOfLevel(level, 5), 5)).toBe(level)
  })
})

describe('tiles', () => {
  const image = { width: 5000, height: 3001 }
  it('are full inside and cropped at the edges', () => {
    expect(tileSize(image, 256, 0, 0, 0)).toEqual({ width: 256, height: 256 })
    expect(tileSize(image, 256, 0, 11, 19)).toEqual({ width: 5000 - 19 * 256, height: 3001 - 11 * 256 })
    expect(tileSize(image, 256, 3, 1, 2)).toEqual({ width: 625 - 512, height: 376 - 256 })
    expect(tileSize({ width: 512, height: 512 }, 256, 0, 1, 1)).toEqual({ width: 256, height: 256 })
  })

  it('cover each level exactly', () => {
    for (const width of [1, 105, 255, 256, 257, 5000, 8191])
      for (const level of [0, 1, 2, 5]) {
        const size = levelSize({ width, height: 7 }, level)
        const columns = Math.ceil(size.width / 256)
        const sum = Array.from(
          { length: columns },
          (_, c) => tileSize({ width, height: 7 }, 256, level, 0, c).width,
        )
        expect(sum.reduce((a, b) => a + b)).toBe(size.width)
        expect(Math.min(...sum)).toBeGreaterThan(0)
      }
  })

  it('are empty outside', () => {
    expect(tileSize(image, 256, 0, 0, 20).width).toBe(0)
  })
})

describe('zooms', () => {
  it('are powers of two', () => {
    expect(scaleOfZoom(5, 5)).toBe(1)
    expect(scaleOfZoom(8, 5)).toBe(8)
    expect(zoomOfScale(scaleOfZoom(2.5, 5), 5)).toBeCloseTo(2.5)
  })

  it('fit the image into the window', () => {
    expect(fitZoom({ width: 100, height: 100 }, { width: 800, height: 900 }, 0)).toBe(3)
    expect(fitZoom({ width: 105, height: 105 }, { width: 800, height: 900 }, 0, 0.25)).toBe(2.75)
    expect(fitZoom({ width: 4096, height: 512 }, { width: 1024, height: 1024 }, 4, 0.25)).toBe(2)
  })
})

describe('FITS pixels', () => {
  it('count from one, y up, at centres', () => {
    expect(fitsOfRaster({ x: 0, y: 0 }, 105)).toEqual({ x: 1, y: 105 })
    expect(fitsOfRaster({ x: 104.99, y: 104.99 }, 105)).toEqual({ x: 105, y: 1 })
    expect(rasterOfFits({ x: 1, y: 105 }, 105)).toEqual({ x: 0.5, y: 0.5 })
  })

  it('go there and back', () => {
    for (const pixel of [
      { x: 1, y: 1 },
      { x: 105, y: 105 },
      { x: 50, y: 60 },
    ])
      expect(fitsOfRaster(rasterOfFits(pixel, 105), 105)).toEqual(pixel)
  })

  it('are inside or not', () => {
    const image = { width: 10, height: 20 }
    expect(isInside({ x: 0, y: 0 }, image)).toBe(true)
    expect(isInside({ x: 10, y: 0 }, image)).toBe(false)
    expect(isInside({ x: 0, y: -0.1 }, image)).toBe(false)
  })
})

it('keeps the place and the size on the screen in another version, if that has the place', () => {
  const place = { x: 100, y: 50, zoom: 3 }
  const [before, after] = [{ maxLevel: 2 }, { width: 400, height: 300, maxLevel: 4 }]
  const kept = carryOver(place, before, after)
  expect(kept).toEqual({ x: 100, y: 50, zoom: 5 })
  expect(scaleOfZoom(kept?.zoom ?? 0, 4)).toBe(scaleOfZoom(3, 2))
  expect(carryOver(place, before, { ...after, height: 50 })).toBeUndefined()
})
