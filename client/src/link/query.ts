// The parameters of the page's own address, as VisiOmatic has them. The fragment, when there, wins.

import type { Cube } from '../api/wire'
import { scaleOfZoom, zoomOfScale } from '../core/geometry'
import { type Link, parseHash } from './hash'

/** What the page was asked to show; null for the list of cubes. */
export function linkOfPage(search: string, hash: string): Link | null {
  const fromHash = parseHash(hash)
  if (fromHash) return fromHash
  const keys = new URLSearchParams(search)
  const cube = keys.get('image')
  if (!cube) return null
  const layer = keys.get('layer')
  return { cube, ...(layer ? { layer } : {}), keys }
}

/** `fov` in degrees as a zoom, for a window of `width` CSS pixels. */
export function zoomOfFov(
  fov: string | null,
  cube: Cube,
  width: number,
  maxLevel: number,
): number | undefined {
  const degrees = fov === null ? Number.NaN : Number.parseFloat(fov)
  const pixel = cube.wcs?.pixel_scale
  if (!(degrees > 0) || !pixel) return undefined
  return zoomOfScale((width * pixel) / degrees, maxLevel)
}

/** The width of the window in degrees, the inverse of the above. */
export const fovOfZoom = (zoom: number, pixel: number, width: number, maxLevel: number): number =>
  (width * pixel) / scaleOfZoom(zoom, maxLevel)
