// Numbers for people to read.

/** A number in `digits` significant digits, without trailing zeros; exponents only where they shorten. */
export function formatNumber(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const rounded = Number(value.toPrecision(digits))
  const size = Math.abs(rounded)
  return size >= 1e7 || size < 1e-4 ? rounded.toExponential().replace('e+', 'e') : String(rounded)
}

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < BYTES.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${BYTES[unit]}`
}

const LONG = 100

/** A time in its largest sensible unit, rounded up: what is left of a second is still a second. */
export function formatDuration(seconds: number): string {
  const minutes = seconds / 60
  if (seconds < LONG) return `${Math.max(1, Math.ceil(seconds))} s`
  return minutes < LONG ? `${Math.ceil(minutes)} min` : `${Math.ceil(minutes / 60)} h`
}
