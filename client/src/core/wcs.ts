// World coordinates without a request: Chebyshev patches of the unit vector, fitted and measured by the server
// (GET cubes/…/wcs). What they do not cover, the server is asked for: 'ask'.

import type { Point } from './geometry'

/** Degrees. */
export interface Sky {
  readonly lon: number
  readonly lat: number
}

/** Null: there is none. */
export type Answer<T> = T | null | 'ask'

type Vector = readonly [number, number, number]

export interface SkyMap {
  readonly frame: string
  readonly names: readonly [string, string]
  /** Bound of the error in pixels, wherever the answer is not 'ask'. */
  readonly maxErrorPx: number
  /** Other frames that `sky` can be turned into. */
  readonly frames: readonly string[]
  /** Sky of a FITS pixel: counted from 1, y up, fractions allowed. */
  sky(x: number, y: number): Answer<Sky>
  /** FITS pixel of a position; null where it is outside of the picture. */
  pixel(lon: number, lat: number): Answer<Point>
  /** A position of this map's frame in another; undefined where only the server can tell. */
  turned(sky: Sky, frame: string): Sky | undefined
}

interface Patch {
  /** FITS pixels of its centre, and half its sides. */
  readonly x: number
  readonly y: number
  readonly halfX: number
  readonly halfY: number
  /** How far, in pixels, what lies on its border may be found outside of it. */
  readonly slack: number
  readonly degree: number
  readonly coefficients: readonly (readonly number[])[]
  readonly mask: string
}

/** What lies in a cell of the quadtree: a patch, nothing, or what the server has to be asked for. */
type Cell = Patch | null | 'ask'

const RADIAN = 180 / Math.PI
const NO_SKY = '.'
const ASK = '?'
/** Patches that Newton's method is tried in, nearest first. */
const TRIES = 8
const ITERATIONS = 40

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
const length = (a: Vector): number => Math.sqrt(dot(a, a))

export function vectorOf({ lon, lat }: Sky): Vector {
  const cos = Math.cos(lat / RADIAN)
  return [cos * Math.cos(lon / RADIAN), cos * Math.sin(lon / RADIAN), Math.sin(lat / RADIAN)]
}

export function skyOf([x, y, z]: Vector): Sky {
  const lon = Math.atan2(y, x) * RADIAN
  return { lon: lon < 0 ? lon + 360 : lon, lat: Math.atan2(z, Math.hypot(x, y)) * RADIAN }
}

/** T_0 … T_degree at a point, and their derivatives. */
function chebyshev(at: number, degree: number): { values: number[]; slopes: number[] } {
  const values = [1, at]
  const slopes = [0, 1]
  for (let k = 2; k <= degree; k += 1) {
    values.push(2 * at * (values[k - 1] as number) - (values[k - 2] as number))
    slopes.push(
      2 * (values[k - 1] as number) + 2 * at * (slopes[k - 1] as number) - (slopes[k - 2] as number),
    )
  }
  return { values, slopes }
}

interface Evaluated {
  readonly value: Vector
  readonly alongS: Vector
  readonly alongT: Vector
}

/** The vector and its derivatives at (s, t). Terms T_p(s) T_q(t) come in rising p + q, then in rising p. */
function evaluate(patch: Patch, s: number, t: number): Evaluated {
  const { degree, coefficients } = patch
  const inS = chebyshev(s, degree)
  const inT = chebyshev(t, degree)
  const found = [0, 0, 0, 0, 0, 0, 0, 0, 0]
  let term = 0
  for (let total = 0; total <= degree; total += 1)
    for (let p = 0; p <= total; p += 1, term += 1) {
      const q = total - p
      const value = (inS.values[p] as number) * (inT.values[q] as number)
      const slopeS = (inS.slopes[p] as number) * (inT.values[q] as number)
      const slopeT = (inS.values[p] as number) * (inT.slopes[q] as number)
      for (let k = 0; k < 3; k += 1) {
        const c = (coefficients[k] as readonly number[])[term] as number
        found[k] = (found[k] as number) + c * value
        found[k + 3] = (found[k + 3] as number) + c * slopeS
        found[k + 6] = (found[k + 6] as number) + c * slopeT
      }
    }
  return {
    value: found.slice(0, 3) as unknown as Vector,
    alongS: found.slice(3, 6) as unknown as Vector,
    alongT: found.slice(6) as unknown as Vector,
  }
}

/** What the mask of a patch says of (s, t). */
function signAt(patch: Patch, size: number, s: number, t: number): string {
  if (!patch.mask) return ''
  const index = (at: number): number => Math.min(size - 1, Math.max(0, Math.floor(((at + 1) / 2) * size)))
  return patch.mask[index(t) * size + index(s)] ?? ASK
}

/** Where a patch has a vector, by Gauss and Newton; undefined where it has not. */
function invert(patch: Patch, target: Vector, start: Point): Point | undefined {
  let s = start.x
  let t = start.y
  for (let step = 0; step < ITERATIONS; step += 1) {
    const { value, alongS, alongT } = evaluate(patch, s, t)
    const size = length(value)
    const off: Vector = [
      size * target[0] - value[0],
      size * target[1] - value[1],
      size * target[2] - value[2],
    ]
    const [a, b, c] = [dot(alongS, alongS), dot(alongS, alongT), dot(alongT, alongT)]
    const [u, v] = [dot(alongS, off), dot(alongT, off)]
    const determinant = a * c - b * b
    if (!(determinant > 0)) return undefined
    const ds = (c * u - b * v) / determinant
    const dt = (a * v - b * u) / determinant
    const shorter = Math.min(1, 0.5 / Math.max(Math.abs(ds), Math.abs(dt), 1e-300))
    const before: Point = { x: s, y: t }
    s = Math.min(1.2, Math.max(-1.2, s + ds * shorter))
    t = Math.min(1.2, Math.max(-1.2, t + dt * shorter))
    // As near as float64 gets: unit vectors have 16 digits, however small or narrow the patch.
    const moved = Math.abs(s - before.x) * Math.sqrt(a) + Math.abs(t - before.y) * Math.sqrt(c)
    if (moved > 2e-15 + 1e-13 * Math.sqrt(Math.min(a, c))) continue
    const sideways = length([
      value[1] * target[2] - value[2] * target[1],
      value[2] * target[0] - value[0] * target[2],
      value[0] * target[1] - value[1] * target[0],
    ])
    const pixelAngle = Math.max(Math.sqrt(a) / patch.halfX, Math.sqrt(c) / patch.halfY)
    const met = dot(value, target) > 0 && sideways < 4e-15 + 0.01 * patch.slack * pixelAngle
    const inside =
      Math.abs(s) <= 1 + patch.slack / patch.halfX && Math.abs(t) <= 1 + patch.slack / patch.halfY
    return met && inside ? { x: s, y: t } : undefined
  }
  return undefined
}

/** Points of every patch that Newton's method can start from. */
function starts(patches: readonly Patch[]): { patch: Patch; at: Point; vector: Vector }[] {
  const along = [-0.9, -0.45, 0, 0.45, 0.9]
  return patches.flatMap((patch) =>
    along.flatMap((y) =>
      along.map((x) => {
        const { value } = evaluate(patch, x, y)
        const size = length(value) || 1
        return {
          patch,
          at: { x, y },
          vector: [value[0] / size, value[1] / size, value[2] / size] as Vector,
        }
      }),
    ),
  )
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.filter(isNumber) : [])

function patchOf(json: Record<string, unknown>, width: number, height: number): Cell {
  if (json.usable === false) return json.sky === false ? null : 'ask'
  const [depth = 0, column = 0, row = 0] = numbers(json.cell)
  const degree = Number(json.degree)
  const coefficients = [numbers(json.x), numbers(json.y), numbers(json.z)]
  const terms = ((degree + 1) * (degree + 2)) / 2
  if (coefficients.some((one) => one.length !== terms)) return 'ask'
  const [sideX, sideY] = [width / 2 ** depth, height / 2 ** depth]
  return {
    x: 0.5 + (column + 0.5) * sideX,
    y: 0.5 + (row + 0.5) * sideY,
    halfX: sideX / 2,
    halfY: sideY / 2,
    slack: 1e-6 + (isNumber(json.max_err_px) ? json.max_err_px : 0),
    degree,
    coefficients,
    mask: typeof json.mask === 'string' ? json.mask : '',
  }
}

/** A description of the server as a map; undefined where it is none. */
export function createSkyMap(json: unknown): SkyMap | undefined {
  if (!isObject(json) || !Array.isArray(json.patches)) return undefined
  const { width, height } = json
  if (!isNumber(width) || !isNumber(height)) return undefined
  const maskSize = isNumber(json.mask_size) ? json.mask_size : 1
  const cells = new Map<string, Cell>()
  let deepest = 0
  for (const one of json.patches.filter(isObject)) {
    const cell = numbers(one.cell)
    deepest = Math.max(deepest, cell[0] ?? 0)
    cells.set(cell.join(), patchOf(one, width, height))
  }
  const patches = [...cells.values()].filter((cell): cell is Patch => cell !== null && cell !== 'ask')
  const rotations = new Map<string, readonly Vector[]>()
  if (isObject(json.rotations))
    for (const [frame, matrix] of Object.entries(json.rotations))
      if (Array.isArray(matrix)) rotations.set(frame, matrix.map(numbers) as unknown as Vector[])
  const names = Array.isArray(json.names) ? json.names.map(String) : []
  const complete = json.usable === true
  let from: ReturnType<typeof starts> | undefined

  const cellAt = (x: number, y: number): Cell => {
    const [across, up] = [(x - 0.5) / width, (y - 0.5) / height]
    if (!(across >= 0 && across <= 1 && up >= 0 && up <= 1)) return 'ask'
    for (let depth = 0; depth <= deepest; depth += 1) {
      const count = 2 ** depth
      const [column, row] = [across, up].map((at) => Math.min(count - 1, Math.floor(at * count)))
      const cell = cells.get(`${depth},${column},${row}`)
      if (cell !== undefined) return cell
    }
    return 'ask'
  }
  return {
    frame: typeof json.frame === 'string' ? json.frame : '',
    names: [names[0] ?? 'lon', names[1] ?? 'lat'],
    maxErrorPx: isNumber(json.max_err_px) ? json.max_err_px : Number.POSITIVE_INFINITY,
    frames: [...rotations.keys()],
    sky(x, y) {
      const patch = cellAt(x, y)
      if (patch === null || patch === 'ask') return patch
      const s = (x - patch.x) / patch.halfX
      const t = (y - patch.y) / patch.halfY
      const sign = signAt(patch, maskSize, s, t)
      if (sign === ASK) return 'ask'
      return sign === NO_SKY ? null : skyOf(evaluate(patch, s, t).value)
    },
    pixel(lon, lat) {
      const target = vectorOf({ lon, lat })
      from ??= starts(patches)
      const nearest = new Map<Patch, { at: Point; near: number }>()
      for (const { patch, at, vector } of from) {
        const near = dot(vector, target)
        if (near > (nearest.get(patch)?.near ?? Number.NEGATIVE_INFINITY)) nearest.set(patch, { at, near })
      }
      const ranked = [...nearest].sort((one, other) => other[1].near - one[1].near)
      for (const [patch, { at }] of ranked.slice(0, TRIES)) {
        const found = invert(patch, target, at)
        if (!found) continue
        const sign = signAt(patch, maskSize, found.x, found.y)
        if (sign === ASK) return 'ask'
        if (sign !== NO_SKY) return { x: patch.x + found.x * patch.halfX, y: patch.y + found.y * patch.halfY }
      }
      return complete ? null : 'ask'
    },
    turned(sky, frame) {
      if (frame === json.frame) return sky
      const matrix = rotations.get(frame)
      if (!matrix) return undefined
      const vector = vectorOf(sky)
      return skyOf(matrix.map((row) => dot(row, vector)) as unknown as Vector)
    },
  }
}
