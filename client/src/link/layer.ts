// From one layer of a cube to another: what of the view goes along.

import type { Cube } from '../api/wire'
import type { Placement, Size } from '../core/geometry'
import type { Style } from '../style/style'
import { formatHash, type Link, parseHash } from './hash'

/** Cuts and mixes are those of other pixels: they stay behind. */
const LEFT_BEHIND = ['method', 'shared', 'cuts', 'mix']

/** A link to another layer, seen as this one is. Its place holds only for a picture of the same size. */
export function linkOfLayer(cube: Cube, style: Style, position: Placement, layer: string): Link {
  const keys = parseHash(formatHash(cube, style, position))?.keys ?? new URLSearchParams()
  for (const key of LEFT_BEHIND) keys.delete(key)
  return { cube: cube.name, layer, position, keys, size: { width: cube.width, height: cube.height } }
}

/** Where a link wants a cube to be looked at; undefined for where it is seen as a whole. */
export function placeOf(link: Link, image: Size): Placement | undefined {
  const { position, size } = link
  const same = !size || (size.width === image.width && size.height === image.height)
  return same ? position : undefined
}
