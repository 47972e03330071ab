// Colour composites: which channels, in which colours.

import type { Cube } from '../api/wire'
import type { MixEntry } from './style'

/** From the short to the long wavelengths. */
const COLOURS: Readonly<Record<number, readonly string[]>> = {
  1: ['#ffffff'],
  2: ['#1e90ff', '#ff8c1e'],
  3: ['#0000ff', '#00ff00', '#ff0000'],
}

/** For channels that are added by hand. */
const PALETTE = ['#ff0000', '#00ff00', '#0000ff', '#ff9a00', '#00d5ff', '#ff00c8', '#ffffff']

/** Coordinates that grow towards the blue. */
const BLUEWARD = /^(FREQ|ENER|WAVN)/

/**
 * Whether channel 0 is at the red end. Bands are usually ordered from blue to red, and so do wavelengths and
 * velocities grow; frequencies, energies and wave numbers go the other way, as does an axis that falls.
 */
export function startsRed(cube: Cube): boolean {
  const axis = cube.axes.find((one) => one.kind === 'spectral')
  const blueward = BLUEWARD.test(axis?.ctype ?? '')
  const first = Number.parseFloat(cube.channels[0]?.label ?? '')
  const last = Number.parseFloat(cube.channels[cube.channels.length - 1]?.label ?? '')
  const falling = axis !== undefined && last < first
  return blueward !== falling
}

/** Up to three channels spread over the cube, the bluest in blue. */
export function automaticMix(cube: Cube): MixEntry[] {
  const count = Math.min(3, cube.channels.length)
  const colours = COLOURS[count] ?? []
  const ordered = startsRed(cube) ? [...colours].reverse() : colours
  return ordered.map((color, i) => ({
    // The middle of the i-th of `count` equal parts: all of a short cube, no dead edge channels of a long one.
    channel: Math.floor(((i + 0.5) * cube.channels.length) / count),
    color,
    cuts: null,
  }))
}

/** The mix with one more channel: the first that is not in it, in a colour that is not either. */
export function addChannel(mix: readonly MixEntry[], cube: Cube, preferred: number): MixEntry[] {
  const used = new Set(mix.map((entry) => entry.channel))
  const free = [preferred, ...cube.channels.map((one) => one.index)].find((channel) => !used.has(channel))
  if (free === undefined) return [...mix]
  const color = PALETTE.find((one) => !mix.some((entry) => entry.color === one)) ?? '#ffffff'
  return [...mix, { channel: free, color, cuts: null }]
}

/**
 * Weights in red, green and blue of a swatch's colour. The server adds light and applies the display gamma
 * after, so the swatch is undone to linear light: what is bright in one channel alone looks like its swatch.
 */
export function weightsOf(color: string): [number, number, number] {
  const part = (from: number): number => {
    const value = Number.parseInt(color.slice(from, from + 2), 16)
    return Number((((Number.isNaN(value) ? 255 : value) / 255) ** 2.2).toFixed(4))
  }
  return [part(1), part(3), part(5)]
}
