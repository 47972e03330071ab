// How a cube is shown. One frozen value; every change makes a new one.

import type { Cube, Cuts } from '../api/wire'
import { automaticMix } from './mix'
import { isCollapse, NO_RECIPE } from './recipes'
import { LINEAR } from './stretch'

export type Mode = 'mono' | 'color'

/** How cuts are found; `manual` when somebody typed them. The others are methods of the server's `/cuts`. */
export const METHODS = ['mad', 'minmax', '99.5', '99', '95', 'zscale', 'histogram'] as const
export type Method = (typeof METHODS)[number] | 'manual'

export const METHOD_NAMES: Readonly<Record<Method, string>> = {
  mad: 'Default (MAD)',
  minmax: 'Min–max',
  '99.5': '99.5 %',
  '99': '99 %',
  '95': '95 %',
  zscale: 'zscale',
  histogram: 'Narrowest 99 %',
  manual: 'Manual',
}

export interface MixEntry {
  readonly channel: number
  /** `#rrggbb`: what the brightest pixels of this channel look like. */
  readonly color: string
  /** Null: the channel's own default cuts. */
  readonly cuts: Cuts | null
}

export interface Adjustment {
  readonly brightness: number
  readonly contrast: number
  readonly gamma: number
  /** Of composites: 0 is grey, 1 as it is. */
  readonly saturation: number
  readonly invert: boolean
}

export interface Style extends Adjustment {
  readonly mode: Mode
  readonly channel: number
  readonly method: Method
  /** One pair of cuts for all channels, so that channels can be compared. */
  readonly shared: boolean
  /** The shared pair; null for the cube's default. */
  readonly pinned: Cuts | null
  /** Pairs of single channels, where they are known and not the default. */
  readonly own: Readonly<Record<number, Cuts>>
  readonly mix: readonly MixEntry[]
  /** A recipe in place of `mix`; empty without one. */
  readonly recipe: string
  /** Cuts of a recipe as an address has them, `lo,hi` or `c:lo,hi`; what has none takes those of its channels. */
  readonly recipeCuts: readonly string[]
  /** Where channels have no value, the others count for more. */
  readonly renormalise: boolean
  /** As the server writes it: `linear`, `log:1000`, … */
  readonly stretch: string
  /** Composites are stretched as a whole, so that no colour changes its hue. */
  readonly hue: boolean
  readonly colormap: string
  readonly quality: number
  readonly lossless: boolean
}

const isSpectral = (cube: Cube): boolean => cube.axes.some((axis) => axis.kind === 'spectral')

/** Channels along a spectral axis are compared by eye; bands of a colour image each have their own range. */
export const sharesCuts = (cube: Cube): boolean => cube.channels.length > 1 && isSpectral(cube)

export function defaultStyle(cube: Cube): Style {
  const { channel, brightness, contrast, gamma, invert, colormap, quality } = cube.defaults
  return {
    mode: 'mono',
    channel: clampChannel(cube, channel),
    method: 'mad',
    shared: sharesCuts(cube),
    pinned: null,
    own: {},
    mix: automaticMix(cube),
    recipe: NO_RECIPE,
    recipeCuts: [],
    renormalise: false,
    stretch: LINEAR,
    hue: false,
    saturation: 1,
    brightness,
    contrast,
    gamma,
    invert,
    colormap,
    quality,
    lossless: false,
  }
}

export const clampChannel = (cube: Cube, channel: number): number =>
  Math.min(cube.channels.length - 1, Math.max(0, Math.round(Number.isFinite(channel) ? channel : 0)))

/** Whether the picture is a composite in colour, and not one plane through a colormap. */
export const isComposite = (style: Style): boolean => style.mode === 'color' && !isCollapse(style.recipe)

/** What links and callers may hand us, made to fit the cube. */
export function fitStyle(style: Style, cube: Cube): Style {
  return {
    ...style,
    channel: clampChannel(cube, style.channel),
    mix: style.mix.filter((entry) => entry.channel >= 0 && entry.channel < cube.channels.length),
  }
}
