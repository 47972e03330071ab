// Leaflet's "earth", made a picture: latitude is the raster row, longitude the column, both growing from the
// top left corner, and zoom `maxLevel` is one CSS pixel per image pixel.

import * as L from 'leaflet'
import type { Point } from '../core/geometry'

export function rasterCrs(maxLevel: number): L.CRS {
  const scale = 2 ** -maxLevel
  return L.Util.extend({}, L.CRS.Simple, {
    transformation: new L.Transformation(scale, 0, scale, 0),
  }) as L.CRS
}

export const toLatLng = (point: Point): L.LatLng => L.latLng(point.y, point.x)
export const toPoint = (latLng: L.LatLng): Point => ({ x: latLng.lng, y: latLng.lat })
