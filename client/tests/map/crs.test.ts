// @vitest-environment happy-dom
import { expect, it } from 'vitest'
import { rasterCrs, toLatLng, toPoint } from '../../src/map/crs'

it('shows the finest level pixel for pixel, rows downwards', () => {
  const crs = rasterCrs(5)
  const at = (x: number, y: number, zoom: number) => {
    const point = crs.latLngToPoint(toLatLng({ x, y }), zoom)
    return [point.x, point.y]
  }
  expect(at(100, 40, 5)).toEqual([100, 40])
  expect(at(4096, 32, 0)).toEqual([128, 1])
  expect(at(10, 10, 9)).toEqual([160, 160])
  expect(toPoint(toLatLng({ x: 3, y: 7 }))).toEqual({ x: 3, y: 7 })
})
