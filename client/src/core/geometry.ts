// Where things are. Three grids are in play:
//   raster   level-0 pixels, continuous, (0, 0) the top left corner of the picture, y down
//   level k  raster binned 2^k × 2^k; sizes are rounded up, edge tiles are cropped
//   FITS     pixels counted from 1, y up, integers at pixel centres
// Map zoom z shows level (maxLevel − z) pixel for pixel; beyond the ends the nearest level is scaled.

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Size {
  readonly width: number
  readonly height: number
}

/** Where a map looks: its centre in raster pixels, and its zoom. */
export interface Placement extends Point {
  readonly zoom: number
}

/** How far past full resolution one may zoom: 2^5 screen pixels per image pixel. */
export const OVERZOOM = 5

export const levelLength = (length: number, level: number): number => Math.ceil(length / 2 ** level)

export const levelSize = (image: Size, level: number): Size => ({
  width: levelLength(image.width, level),
  height: levelLength(image.height, level),
})

/** Size of a tile in pixels of its level: full inside, cropped at the right and bottom edges. */
export function tileSize(image: Size, tile: number, level: number, row: number, column: number): Size {
  const size = levelSize(image, level)
  return {
    width: Math.max(0, Math.min(tile, size.width - column * tile)),
    height: Math.max(0, Math.min(tile, size.height - row * tile)),
  }
}

/** The level that a zoom is drawn from, clamped to those there are. */
export const levelOfZoom = (zoom: number, maxLevel: number): number =>
  Math.min(maxLevel, Math.max(0, maxLevel - Math.round(zoom)))

export const zoomOfLevel = (level: number, maxLevel: number): number => maxLevel - level

/** Screen pixels per level-0 pixel. */
export const scaleOfZoom = (zoom: number, maxLevel: number): number => 2 ** (zoom - maxLevel)

export const zoomOfScale = (scale: number, maxLevel: number): number => maxLevel + Math.log2(scale)

/** The same place of another version of an image, as large on the screen; undefined where it does not have it. */
export function carryOver(
  { x, y, zoom }: Placement,
  before: { maxLevel: number },
  after: Size & { maxLevel: number },
): Placement | undefined {
  if (!isInside({ x, y }, after)) return undefined
  return { x, y, zoom: zoomOfScale(scaleOfZoom(zoom, before.maxLevel), after.maxLevel) }
}

/** The largest zoom, on a grid of `snap`, at which the whole image fits the window. */
export function fitZoom(image: Size, window: Size, maxLevel: number, snap = 0): number {
  const scale = Math.min(window.width / image.width, window.height / image.height)
  const zoom = zoomOfScale(scale, maxLevel)
  return snap > 0 ? Math.floor(zoom / snap + 1e-9) * snap : zoom
}

/** The FITS pixel that a raster position lies in. */
export const fitsOfRaster = (point: Point, height: number): Point => ({
  x: Math.floor(point.x) + 1,
  y: height - Math.floor(point.y),
})

/** The raster position of the centre of a FITS pixel. */
export const rasterOfFits = (pixel: Point, height: number): Point => ({
  x: pixel.x - 0.5,
  y: height - pixel.y + 0.5,
})

export const isInside = (point: Point, image: Size): boolean =>
  point.x >= 0 && point.y >= 0 && point.x < image.width && point.y < image.height
