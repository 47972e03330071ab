// What the server says, checked where it enters: the rest of the client trusts these types.

import { fail, ok, type Result } from '../core/errors'
import { createSkyMap, type SkyMap } from '../core/wcs'

export type Cuts = readonly [low: number, high: number]

export interface CubeEntry {
  name: string
  size: number
}
export interface FolderEntry {
  /** The whole name, with `/` between folders. */
  name: string
  kind: 'folder' | 'cube' | 'other'
  format: string | null
  size: number | null
  layers?: { name: string; shape: number[]; dtype: string; unit: string }[]
  /** Why it cannot be opened. */
  error?: string
  /** The server is still looking at it: asking again tells more. */
  pending: boolean
}
export interface FolderPage {
  path: string
  entries: FolderEntry[]
  total: number
  offset: number
  next: number | null
  truncated: boolean
}
export interface Axis {
  name: string
  /** `spectral`, `stokes`, `x`, `y`, … */
  kind: string
  ctype: string | null
  unit: string | null
  size: number
}
export interface Level {
  level: number
  width: number
  height: number
  columns: number
  rows: number
}
export interface Channel {
  index: number
  label: string
}
export interface Defaults {
  /** The channel to show first. */
  channel: number
  brightness: number
  contrast: number
  gamma: number
  colormap: string
  invert: boolean
  quality: number
}
/** A style that the operator has saved for a cube: rendering keys as in an address. */
export interface Preset {
  name: string
  keys: Record<string, string[]>
}
export interface Cube {
  name: string
  fingerprint: string
  layer: string
  layers: string[]
  shape: number[]
  dtype: string
  unit: string
  object: string
  axes: Axis[]
  width: number
  height: number
  tile_size: number
  levels: Level[]
  channels: Channel[]
  cuts: (Cuts | null)[]
  cube_cuts: Cuts | null
  defaults: Defaults
  wcs: { ctype: string[]; frame: string; pixel_scale: number | null } | null
  warnings: string[]
}
export interface Values {
  x: number
  y: number
  channels: number[]
  values: (number | null)[]
  unit: string
  world: { lon: number; lat: number; names: string[]; text: string[]; frame: string } | null
}

const FALLBACK: Defaults = {
  channel: 0,
  brightness: 0,
  contrast: 1,
  gamma: 2.2,
  colormap: 'grey',
  invert: false,
  quality: 90,
}

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const cutsOf = (value: unknown): Cuts | null =>
  Array.isArray(value) && isNumber(value[0]) && isNumber(value[1]) ? [value[0], value[1]] : null

const wrong = (what: string): Result<never> => fail({ kind: 'protocol', message: what })

export function parseCubes(json: unknown): Result<{ cubes: CubeEntry[]; truncated: boolean }> {
  if (!isObject(json) || !Array.isArray(json.cubes)) return wrong('no list of cubes')
  const cubes = json.cubes
    .filter(isObject)
    .map((cube) => ({ name: text(cube.name), size: Number(cube.size) }))
  return ok({ cubes, truncated: json.truncated === true })
}

const KINDS = ['folder', 'cube', 'other'] as const

function entryOf(json: Json): FolderEntry {
  const kind = KINDS.find((one) => one === json.kind) ?? 'other'
  const entry: FolderEntry = {
    name: text(json.name),
    kind,
    format: text(json.format) || null,
    size: isNumber(json.size) ? json.size : null,
    pending: json.pending === true,
  }
  const layers = Array.isArray(json.layers) ? json.layers.filter(isObject) : []
  if (layers.length > 0)
    entry.layers = layers.map((layer) => ({
      name: text(layer.name),
      shape: Array.isArray(layer.shape) ? layer.shape.filter(isNumber) : [],
      dtype: text(layer.dtype),
      unit: text(layer.unit),
    }))
  if (text(json.error)) entry.error = text(json.error)
  return entry
}

export function parseFolder(json: unknown): Result<FolderPage> {
  if (!isObject(json) || !Array.isArray(json.entries) || !isNumber(json.offset)) return wrong('no folder')
  return ok({
    path: text(json.path),
    entries: json.entries.filter(isObject).map(entryOf),
    total: isNumber(json.total) ? json.total : 0,
    offset: json.offset,
    next: isNumber(json.next) ? json.next : null,
    truncated: json.truncated === true,
  })
}

export function parseCube(json: unknown): Result<Cube> {
  if (!isObject(json)) return wrong('a cube that is not an object')
  for (const key of ['width', 'height', 'tile_size'])
    if (!isNumber(json[key]) || json[key] < 1) return wrong(`a cube without ${key}`)
  for (const key of ['levels', 'channels', 'shape', 'axes', 'cuts'])
    if (!Array.isArray(json[key])) return wrong(`a cube without ${key}`)
  const cube = json as unknown as Cube
  if (cube.levels.length === 0 || cube.channels.length === 0) return wrong('a cube without pixels')
  return ok({
    ...cube,
    unit: text(json.unit),
    object: text(json.object),
    layers: Array.isArray(json.layers) ? cube.layers : [],
    warnings: Array.isArray(json.warnings) ? cube.warnings : [],
    cuts: cube.cuts.map(cutsOf),
    cube_cuts: cutsOf(json.cube_cuts),
    defaults: { ...FALLBACK, ...(isObject(json.defaults) ? json.defaults : {}) },
    wcs: isObject(json.wcs) ? cube.wcs : null,
  })
}

export function parseCuts(json: unknown): Result<Cuts> {
  const cuts = isObject(json) ? cutsOf(json.cuts) : null
  return cuts ? ok(cuts) : wrong('cuts that are not two numbers')
}

export function parseColormaps(json: unknown): Result<string[]> {
  if (!isObject(json) || !Array.isArray(json.colormaps)) return wrong('no list of colormaps')
  return ok(json.colormaps.filter((name): name is string => typeof name === 'string'))
}

export function parsePresets(json: unknown): Result<Preset[]> {
  if (!isObject(json) || !Array.isArray(json.presets)) return wrong('no list of presets')
  return ok(
    json.presets.filter(isObject).map((preset) => ({
      name: text(preset.name),
      keys: Object.fromEntries(
        Object.entries(isObject(preset.keys) ? preset.keys : {}).map(([key, value]) => [
          key,
          (Array.isArray(value) ? value : [value]).map(String),
        ]),
      ),
    })),
  )
}

export function parseValues(json: unknown): Result<Values> {
  if (!isObject(json) || !Array.isArray(json.values) || !Array.isArray(json.channels))
    return wrong('no values')
  return ok({
    ...(json as unknown as Values),
    unit: text(json.unit),
    world: isObject(json.world) ? (json as unknown as Values).world : null,
  })
}

/** Null where the layer has no sky. */
export function parseWcs(json: unknown): Result<SkyMap | null> {
  if (!isObject(json)) return wrong('no wcs')
  if (json.wcs === null) return ok(null)
  const map = createSkyMap(json.wcs)
  return map ? ok(map) : wrong('a wcs that is none')
}

/** The sentences in an error body, which is JSON as every error of the server. */
export function errorMessage(json: unknown): string {
  if (!isObject(json) || !Array.isArray(json.detail)) return ''
  return json.detail
    .map((item) => (isObject(item) ? text(item.msg) : ''))
    .filter(Boolean)
    .join('; ')
}

/** How far the server is with what it cannot answer yet, 0 to 1. */
export function errorProgress(json: unknown): number | undefined {
  const first: unknown = isObject(json) && Array.isArray(json.detail) ? json.detail[0] : undefined
  return isObject(first) && isNumber(first.progress) ? first.progress : undefined
}
