// Presets: the rendering keys that the operator has saved for a cube, made a style.

import type { Cube, Cuts, Preset } from '../api/wire'
import { areCuts } from './cuts'
import { parseStretch } from './stretch'
import { defaultStyle, fitStyle, type Style } from './style'

/** The style of a preset; how tiles are packed stays as it is. */
export function styleOfPreset({ keys }: Preset, cube: Cube, now: Style): Style {
  const plain = defaultStyle(cube)
  const last = (key: string): string | undefined => keys[key]?.at(-1)
  const number = (key: string, otherwise: number): number => {
    const value = Number(last(key) ?? Number.NaN)
    return Number.isFinite(value) ? value : otherwise
  }
  const flag = (key: string): boolean => ['true', '1'].includes(last(key) ?? '')
  const stretch = parseStretch(last('stretch') ?? '') ? (last('stretch') ?? '') : plain.stretch
  const style: Style = {
    ...plain,
    mode: keys.mix ? 'color' : 'mono',
    recipe: (keys.mix ?? []).join(';'),
    recipeCuts: keys.mix ? (keys.cuts ?? []) : [],
    renormalise: last('nan') === 'renormalise',
    channel: number('channel', plain.channel),
    brightness: number('brightness', plain.brightness),
    contrast: number('contrast', plain.contrast),
    gamma: number('gamma', stretch === plain.stretch ? plain.gamma : 1),
    saturation: number('saturation', plain.saturation),
    stretch,
    hue: flag('hue'),
    colormap: last('colormap') ?? plain.colormap,
    invert: flag('invert'),
    quality: now.quality,
    lossless: now.lossless,
  }
  const cuts = cutsOf(last('cuts'))
  const pinned = cuts && !keys.mix ? { method: 'manual' as const, shared: true, pinned: cuts } : {}
  return fitStyle({ ...style, ...pinned }, cube)
}

function cutsOf(text: string | undefined): Cuts | null {
  const [low, high] = (text ?? '').split(',').map((part) => (part === '' ? Number.NaN : Number(part)))
  return low !== undefined && high !== undefined && areCuts(low, high) ? [low, high] : null
}
