// From a style to the keys of a tile's address.

import type { Rendering } from '../api/urls'
import type { Cube } from '../api/wire'
import { mixCuts, monoCuts } from './cuts'
import { weightsOf } from './mix'
import type { Style } from './style'

/** Null while the cuts are not known yet. */
export function renderingOf(style: Style, cube: Cube): Rendering | null {
  const common = {
    ...(cube.layers.length > 1 ? { layer: cube.layer } : {}),
    brightness: style.brightness,
    contrast: style.contrast,
    gamma: style.gamma,
    invert: style.invert,
    quality: style.quality,
    lossless: style.lossless,
    fingerprint: cube.fingerprint,
  }
  if (style.mode === 'color' && style.mix.length > 0) {
    const mix = style.mix.map((entry) => ({
      channel: entry.channel,
      weights: weightsOf(entry.color),
      cuts: mixCuts(entry, cube),
    }))
    return { ...common, mix }
  }
  const cuts = monoCuts(style, cube)
  return cuts && { ...common, channel: style.channel, cuts, colormap: style.colormap }
}
