// What the server says over `/events`, checked where it enters.

/** What is listened to: one layer of one version of a cube. */
export interface Watched {
  readonly cube: string
  readonly layer: string
  /** The fingerprint. */
  readonly v: string
}

/** Pixels of one level. */
export interface Region {
  readonly level: number
  /** The first channel, and one past the last. */
  readonly planes: readonly [first: number, last: number]
  /** In pixels of the level, y down; the last two are one past the last. */
  readonly box: readonly [top: number, left: number, bottom: number, right: number]
}

/** How far the building of a pyramid is. */
export interface Building {
  /** In bytes. */
  readonly done: number
  readonly total: number
  /** Bytes a second; null where it is not known. */
  readonly rate: number | null
  /** Seconds. */
  readonly left: number | null
}

export type ServerEvent = { readonly id: number; readonly watched: Watched } & (
  | { readonly type: 'hello'; readonly boot: string; readonly builds: boolean }
  | { readonly type: 'exact'; readonly region: Region }
  | { readonly type: 'building'; readonly progress: Building }
  | { readonly type: 'built' }
  | { readonly type: 'reset' }
  | { readonly type: 'failed'; readonly message: string }
)

export const isSame = (a: Watched, b: Watched): boolean =>
  a.cube === b.cube && a.layer === b.layer && a.v === b.v

type Json = Record<string, unknown>
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const numberOrNull = (value: unknown): number | null => (isNumber(value) ? value : null)
const isNumbers = (value: unknown, count: number): boolean =>
  Array.isArray(value) && value.length === count && value.every(isNumber)

/** Null for what is no event, or of a kind that a later server may have. */
export function parseEvent(message: unknown): ServerEvent | null {
  let json: Json | null
  try {
    json = JSON.parse(text(message)) as Json | null
  } catch {
    return null
  }
  if (typeof json !== 'object' || json === null || !isNumber(json.id)) return null
  const common = { id: json.id, watched: { cube: text(json.cube), layer: text(json.layer), v: text(json.v) } }
  switch (json.type) {
    case 'hello':
      return { ...common, type: 'hello', boot: text(json.boot), builds: json.builds !== false }
    case 'exact': {
      const { level, planes, box } = json
      if (!isNumber(level) || !isNumbers(planes, 2) || !isNumbers(box, 4)) return null
      return { ...common, type: 'exact', region: { level, planes, box } as unknown as Region }
    }
    case 'building': {
      const { done, total } = json
      if (!isNumber(done) || !isNumber(total)) return null
      const progress = { done, total, rate: numberOrNull(json.rate), left: numberOrNull(json.left) }
      return { ...common, type: 'building', progress }
    }
    case 'built':
    case 'reset':
      return { ...common, type: json.type }
    case 'failed':
      return { ...common, type: 'failed', message: text(json.msg) }
    default:
      return null
  }
}
