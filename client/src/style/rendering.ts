// From a style to the keys of a tile's address.

import type { Rendering } from '../api/urls'
import type { Cube } from '../api/wire'
import { mixCuts, monoCuts } from './cuts'
import { weightsOf } from './mix'
import { elementsOf, isCollapse } from './recipes'
import { LINEAR } from './stretch'
import type { Style } from './style'

/** Null while the cuts are not known yet. */
export function renderingOf(style: Style, cube: Cube): Rendering | null {
  const common = {
    ...(cube.layers.length > 1 ? { layer: cube.layer } : {}),
    brightness: style.brightness,
    contrast: style.contrast,
    gamma: style.gamma,
    ...(style.stretch === LINEAR ? {} : { stretch: style.stretch }),
    invert: style.invert,
    quality: style.quality,
    lossless: style.lossless,
    fingerprint: cube.fingerprint,
  }
  const colour = {
    ...(style.saturation === 1 ? {} : { saturation: style.saturation }),
    ...(style.hue ? { hue: true } : {}),
    ...(style.renormalise ? { nan: 'renormalise' as const } : {}),
  }
  if (style.mode === 'color' && style.recipe) {
    const made = { ...common, recipe: elementsOf(style.recipe), recipeCuts: style.recipeCuts }
    return isCollapse(style.recipe) ? { ...made, colormap: style.colormap } : { ...made, ...colour }
  }
  if (style.mode === 'color' && style.mix.length > 0) {
    const mix = style.mix.map((entry) => ({
      channel: entry.channel,
      weights: weightsOf(entry.color),
      cuts: mixCuts(entry, cube),
    }))
    return { ...common, ...colour, mix }
  }
  const cuts = monoCuts(style, cube)
  return cuts && { ...common, channel: style.channel, cuts, colormap: style.colormap }
}
