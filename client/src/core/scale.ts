// The length that a scale bar shows.

export interface Bar {
  /** CSS pixels. */
  readonly width: number
  readonly label: string
}

const ROUND = [1, 2, 5]
/** Angles are read in sexagesimal steps, not decimal ones. */
const SIXTY = [1, 2, 5, 10, 20, 30]
const DEGREES = [1, 2, 5, 10, 15, 30, 45, 60, 90]

/** The largest round number up to `limit`. */
function round(limit: number): number {
  const decade = 10 ** Math.floor(Math.log10(limit) + 1e-12)
  return Math.max(...ROUND.map((step) => step * decade).filter((value) => value <= limit * (1 + 1e-9)))
}

const largest = (steps: readonly number[], limit: number): number =>
  Math.max(...steps.filter((step) => step <= limit))

/** A bar of at most `room` CSS pixels, where one of them spans `degrees`. */
export function angularBar(degrees: number, room: number): Bar {
  const limit = degrees * room
  if (limit >= 1) return { ...make(largest(DEGREES, limit), 1), label: `${largest(DEGREES, limit)}°` }
  if (limit >= 1 / 60)
    return { ...make(largest(SIXTY, limit * 60), 1 / 60), label: `${largest(SIXTY, limit * 60)}′` }
  if (limit >= 1 / 3600) {
    const value = largest(SIXTY, limit * 3600)
    return { ...make(value, 1 / 3600), label: `${value}″` }
  }
  const value = round(limit * 3600)
  return value >= 1e-3
    ? { ...make(value, 1 / 3600), label: `${Number(value.toPrecision(1))}″` }
    : { ...make(value, 1 / 3600), label: `${Number((value * 1e3).toPrecision(1))} mas` }

  function make(value: number, unit: number): { width: number } {
    return { width: (value * unit) / degrees }
  }
}

/** The same in image pixels, for pictures without a sky. */
export function pixelBar(pixels: number, room: number): Bar {
  const value = round(pixels * room)
  return { width: value / pixels, label: `${Number(value.toPrecision(1))} px` }
}
