// Positions on the sky as the server writes them.

import type { Sky } from './wcs'

const EQUATORIAL = ['icrs', 'fk5', 'fk4', 'fk4noeterms', 'gcrs']

const pad = (value: number, digits: number): string => String(value).padStart(digits, '0')

/** `value` in units of a third-level part: [whole, minutes, seconds as text], rounded first so that no 60 appears. */
function sexagesimal(value: number, precision: number): [number, number, string] {
  const unit = 10 ** precision
  const parts = Math.round(value * 3600 * unit)
  const seconds = (parts % (60 * unit)) / unit
  const minutes = Math.floor(parts / (60 * unit))
  return [Math.floor(minutes / 60), minutes % 60, seconds.toFixed(precision).padStart(precision + 3, '0')]
}

/** `05h35m17.30s`, `-05d23m28.0s`; degrees where sexagesimals are not the custom. */
export function skyText({ lon, lat }: Sky, frame: string): [string, string] {
  const around = ((lon % 360) + 360) % 360
  if (!EQUATORIAL.includes(frame)) {
    return [`${around.toFixed(6)}°`, `${lat < 0 ? '-' : '+'}${Math.abs(lat).toFixed(6)}°`]
  }
  const [hours, minutes, seconds] = sexagesimal(around / 15, 2)
  const [degrees, arcminutes, arcseconds] = sexagesimal(Math.abs(lat), 1)
  const sign = lat < 0 ? '-' : '+'
  return [
    `${pad(hours % 24, 2)}h${pad(minutes, 2)}m${seconds}s`,
    `${sign}${pad(degrees, 2)}d${pad(arcminutes, 2)}m${arcseconds}s`,
  ]
}
