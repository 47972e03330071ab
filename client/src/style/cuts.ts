// Which cuts are in force.

import type { Cube, Cuts } from '../api/wire'
import type { MixEntry, Style } from './style'

const ANY: Cuts = [0, 1]

const channelDefault = (cube: Cube, channel: number): Cuts => cube.cuts[channel] ?? cube.cube_cuts ?? ANY

/** The cuts of the shown channel; null while they still have to be asked of the server. */
export function monoCuts(style: Style, cube: Cube): Cuts | null {
  if (style.shared) return style.pinned ?? cube.cube_cuts ?? channelDefault(cube, style.channel)
  const own = style.own[style.channel]
  if (own) return own
  return style.method === 'mad' || style.method === 'manual' ? channelDefault(cube, style.channel) : null
}

export const mixCuts = (entry: MixEntry, cube: Cube): Cuts =>
  entry.cuts ?? channelDefault(cube, entry.channel)

/** The style with cuts that somebody typed. */
export function withManualCuts(style: Style, cuts: Cuts): Style {
  return style.shared
    ? { ...style, method: 'manual', pinned: cuts }
    : { ...style, method: 'manual', own: { ...style.own, [style.channel]: cuts } }
}

/** Sharing switched; the picture on the screen stays the same where that is possible. */
export function withShared(style: Style, cube: Cube, shared: boolean): Style {
  if (shared) return { ...style, shared, pinned: style.method === 'mad' ? null : monoCuts(style, cube) }
  const current = monoCuts(style, cube)
  const own = style.method === 'manual' && current ? { [style.channel]: current } : {}
  return { ...style, shared, pinned: null, own }
}

export const withDefaultCuts = (style: Style): Style => ({
  ...style,
  method: 'mad',
  pinned: null,
  own: {},
  mix: style.mix.map((entry) => ({ ...entry, cuts: null })),
})

/** Two numbers the server takes: finite and different. */
export const areCuts = (low: number, high: number): boolean =>
  Number.isFinite(low) && Number.isFinite(high) && low !== high
