// The addresses of docs/web-api.md. Keys come in one order, so that equal requests are equal strings and the
// browser's cache holds them once.

import type { Watched } from './events'
import type { Cuts } from './wire'

/** What a tile is drawn with. `cuts` and `mix` are keyed by channel in colour. */
export interface Rendering {
  readonly layer?: string
  readonly channel?: number
  readonly cuts?: Cuts
  readonly mix?: readonly MixKey[]
  /** Elements of a recipe, in place of `mix`. */
  readonly recipe?: readonly string[]
  /** Its cuts, `lo,hi` or `c:lo,hi`. */
  readonly recipeCuts?: readonly string[]
  readonly nan?: 'renormalise'
  readonly stretch?: string
  readonly saturation?: number
  readonly hue?: boolean
  readonly brightness: number
  readonly contrast: number
  readonly gamma: number
  readonly colormap?: string
  readonly invert: boolean
  readonly quality: number
  /** PNG in place of JPEG. */
  readonly lossless: boolean
  readonly fingerprint: string
}
export interface MixKey {
  readonly channel: number
  readonly weights: readonly [red: number, green: number, blue: number]
  readonly cuts?: Cuts
}

const cubePath = (name: string): string => `cubes/${name.split('/').map(encodeURIComponent).join('/')}`

/** `,` and `:` are legal in a query and easier to read bare. */
const encode = (value: string): string => encodeURIComponent(value).replace(/%2C/g, ',').replace(/%3A/g, ':')

const query = (pairs: readonly (readonly [string, string | number | boolean | undefined])[]): string => {
  const parts = pairs.filter(([, value]) => value !== undefined && value !== '')
  return parts.length === 0
    ? ''
    : `?${parts.map(([key, value]) => `${key}=${encode(String(value))}`).join('&')}`
}

export function renderingQuery(style: Rendering): string {
  const mix = style.mix ? [...style.mix].sort((a, b) => a.channel - b.channel) : []
  return query([
    ['layer', style.layer],
    ['channel', style.mix || style.recipe ? undefined : style.channel],
    ['cuts', style.mix ? undefined : style.cuts?.join(',')],
    ...mix.filter((key) => key.cuts).map((key) => ['cuts', `${key.channel}:${key.cuts?.join(',')}`] as const),
    ...mix.map((key) => ['mix', `${key.channel}:${key.weights.join(',')}`] as const),
    ...(style.recipeCuts ?? []).map((cuts) => ['cuts', cuts] as const),
    ...(style.recipe ?? []).map((element) => ['mix', element] as const),
    ['nan', style.nan],
    ['brightness', style.brightness],
    ['contrast', style.contrast],
    ['gamma', style.gamma],
    ['stretch', style.stretch],
    ['saturation', style.saturation],
    ['hue', style.hue],
    ['colormap', style.mix ? undefined : style.colormap],
    ['invert', style.invert],
    ['quality', style.lossless ? undefined : style.quality],
    ['v', style.fingerprint],
  ])
}

export interface TileIndex {
  readonly level: number
  readonly row: number
  readonly column: number
}

/** Which part of a folder. */
export interface FolderQuery {
  readonly offset?: number
  readonly limit?: number
  /** Part that names must have. */
  readonly contains?: string
}

export function createUrls(base: string) {
  const at = (path: string): string => new URL(path, base).href
  return {
    cubes: () => at('cubes'),
    // The path is there even if it is empty: without it the answer is the flat list.
    folder: (path: string, { offset = 0, limit, contains = '' }: FolderQuery = {}) =>
      at(
        `cubes?path=${encodeURIComponent(path).replace(/%2F/g, '/')}${query([
          ['offset', offset || undefined],
          ['limit', limit],
          ['contains', contains],
          ['details', true],
        ]).replace('?', '&')}`,
      ),
    colormaps: () => at('colormaps'),
    /** All colormaps in one picture, a strip each, in the order of their names. */
    strips: () => at('colormaps/all.png'),
    presets: (name: string, layer?: string) => at(`${cubePath(name)}/presets${query([['layer', layer]])}`),
    cube: (name: string, layer?: string) => at(cubePath(name) + query([['layer', layer]])),
    tile: (name: string, { level, row, column }: TileIndex, style: Rendering) =>
      at(
        `${cubePath(name)}/tiles/${level}/${row}/${column}.${style.lossless ? 'png' : 'jpg'}${renderingQuery(style)}`,
      ),
    values: (name: string, x: number, y: number, channels: readonly number[], layer?: string) =>
      at(
        cubePath(name) +
          '/values' +
          query([
            ['layer', layer],
            ['x', x],
            ['y', y],
            ...channels.map((channel) => ['channel', channel] as const),
          ]),
      ),
    wcs: (name: string, fingerprint: string, layer?: string) =>
      at(
        `${cubePath(name)}/wcs${query([
          ['layer', layer],
          ['v', fingerprint],
        ])}`,
      ),
    events: ({ cube, layer, v }: Watched, since?: string) => {
      const pairs = [
        ['cube', cube],
        ['layer', layer],
        ['v', v],
        ['since', since],
      ] as const
      return at(`events${query(pairs)}`).replace(/^http/, 'ws')
    },
    cuts: (name: string, channel: number, method: string, layer?: string) =>
      at(
        `${cubePath(name)}/cuts${query([
          ['layer', layer],
          ['channel', channel],
          ['method', method],
        ])}`,
      ),
  }
}

export type Urls = ReturnType<typeof createUrls>
