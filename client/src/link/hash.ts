// A link is the view: all of it is in the fragment, readable and in one order.

import type { Cube, Cuts } from '../api/wire'
import type { Placement, Size } from '../core/geometry'
import { areCuts, monoCuts } from '../style/cuts'
import { elementsOf } from '../style/recipes'
import { parseStretch } from '../style/stretch'
import { defaultStyle, fitStyle, METHODS, type Method, type MixEntry, type Style } from '../style/style'

export interface Link {
  readonly cube: string
  readonly layer?: string
  readonly position?: Placement
  /** The picture that the position is meant for; without it, whatever the link opens. */
  readonly size?: Size
  /** The style's keys as they stand in the link; `styleOfLink` reads them once the cube is known. */
  readonly keys: URLSearchParams
}

const LONGEST_RECIPE = 2000

const trim = (value: number, digits: number): string => String(Number(value.toFixed(digits)))

const mixText = (mix: readonly MixEntry[]): string =>
  mix
    .map((entry) =>
      [entry.channel, entry.color.slice(1), entry.cuts?.join(',')]
        .filter((part) => part !== undefined)
        .join(':'),
    )
    .join(';')

const sameMix = (a: readonly MixEntry[], b: readonly MixEntry[]): boolean => mixText(a) === mixText(b)

/** The fragment, without `#`. What equals the cube's defaults is left out. */
export function formatHash(cube: Cube, style: Style, position: Placement): string {
  const plain = defaultStyle(cube)
  const pairs: [string, string][] = [['cube', cube.name]]
  const add = (key: string, value: string, wanted = true): void => {
    if (wanted) pairs.push([key, value])
  }
  add('layer', cube.layer, cube.layers.length > 1)
  add('x', trim(position.x, 2))
  add('y', trim(position.y, 2))
  add('z', trim(position.zoom, 3))
  add('mode', style.mode, style.mode !== plain.mode)
  add('channel', String(style.channel), cube.channels.length > 1)
  add('method', style.method, style.method !== plain.method)
  add('shared', style.shared ? '1' : '0', style.shared !== plain.shared)
  add(
    'cuts',
    (monoCuts(style, cube) ?? []).join(','),
    style.method !== 'mad' && monoCuts(style, cube) !== null,
  )
  add('recipe', style.recipe, style.recipe !== plain.recipe)
  add('recipe-cuts', style.recipeCuts.join(';'), style.recipeCuts.length > 0)
  add('nan', 'renormalise', style.renormalise)
  add('mix', mixText(style.mix), !sameMix(style.mix, plain.mix))
  for (const key of ['brightness', 'contrast', 'gamma', 'saturation', 'quality'] as const)
    add(key, String(style[key]), style[key] !== plain[key])
  add('stretch', style.stretch, style.stretch !== plain.stretch)
  add('hue', '1', style.hue)
  add('colormap', style.colormap, style.colormap !== plain.colormap)
  add('invert', style.invert ? '1' : '0', style.invert !== plain.invert)
  add('png', '1', style.lossless)
  return pairs.map(([key, value]) => `${key}=${readable(value)}`).join('&')
}

/** Commas, colons and slashes are left readable; they are legal in a fragment. */
const readable = (value: string): string =>
  encodeURIComponent(value)
    .replace(/%2C/g, ',')
    .replace(/%3A/g, ':')
    .replace(/%3B/g, ';')
    .replace(/%2F/g, '/')

export function parseHash(hash: string): Link | null {
  // URLSearchParams would read a plus sign, as in 1e+21, as a space.
  const keys = new URLSearchParams(hash.replace(/^#/, '').replace(/\+/g, '%2B'))
  const cube = keys.get('cube')
  if (!cube) return null
  const [x, y, zoom] = ['x', 'y', 'z'].map((key) => number(keys, key))
  const layer = keys.get('layer')
  return {
    cube,
    ...(layer ? { layer } : {}),
    ...(x !== undefined && y !== undefined && zoom !== undefined ? { position: { x, y, zoom } } : {}),
    keys,
  }
}

function number(keys: URLSearchParams, key: string): number | undefined {
  const text = keys.get(key)
  const value = text === null || text === '' ? Number.NaN : Number(text)
  return Number.isFinite(value) ? value : undefined
}

function cutsOf(text: string | null | undefined): Cuts | null {
  const [low, high] = (text ?? '').split(',').map((part) => (part === '' ? Number.NaN : Number(part)))
  return low !== undefined && high !== undefined && areCuts(low, high) ? [low, high] : null
}

function mixOf(text: string | null): MixEntry[] | null {
  if (text === null) return null
  const entries = text.split(';').map((part): MixEntry | null => {
    const [channel, color, cuts] = part.split(':')
    if (!channel || !/^\d+$/.test(channel) || !color || !/^[0-9a-f]{6}$/i.test(color)) return null
    return { channel: Number(channel), color: `#${color.toLowerCase()}`, cuts: cutsOf(cuts) }
  })
  return entries.filter((entry): entry is MixEntry => entry !== null)
}

const flag = (keys: URLSearchParams, key: string, otherwise: boolean): boolean =>
  keys.has(key) ? ['1', 'true'].includes(keys.get(key) ?? '') : otherwise

const within = (value: number | undefined, low: number, high: number, otherwise: number): number =>
  value === undefined ? otherwise : Math.min(high, Math.max(low, value))

/** What a link asks for, on top of the cube's defaults; what it does not understand is as if absent. */
export function styleOfLink(keys: URLSearchParams, cube: Cube): Style {
  const plain = defaultStyle(cube)
  const method = [...METHODS, 'manual' as const].find((one) => one === keys.get('method')) ?? plain.method
  const shared = flag(keys, 'shared', plain.shared)
  const channel = number(keys, 'channel') ?? plain.channel
  const cuts = cutsOf(keys.get('cuts'))
  const style: Style = {
    ...plain,
    mode: keys.get('mode') === 'color' ? 'color' : 'mono',
    channel,
    method: cuts && method === 'mad' ? 'manual' : (method satisfies Method),
    shared,
    pinned: shared ? cuts : null,
    own: cuts && !shared ? { [channel]: cuts } : {},
    mix: mixOf(keys.get('mix')) ?? plain.mix,
    recipe: keys.get('recipe')?.slice(0, LONGEST_RECIPE) ?? plain.recipe,
    recipeCuts: elementsOf(keys.get('recipe-cuts')?.slice(0, LONGEST_RECIPE) ?? ''),
    renormalise: keys.get('nan') === 'renormalise',
    stretch: parseStretch(keys.get('stretch') ?? '') ? (keys.get('stretch') ?? '') : plain.stretch,
    hue: flag(keys, 'hue', false),
    saturation: within(number(keys, 'saturation'), 0, 5, plain.saturation),
    brightness: within(number(keys, 'brightness'), -100, 100, plain.brightness),
    contrast: within(number(keys, 'contrast'), 0, 1000, plain.contrast),
    gamma: within(number(keys, 'gamma'), 0.2, 5, plain.gamma),
    quality: within(number(keys, 'quality'), 0, 100, plain.quality),
    colormap: keys.get('colormap') ?? plain.colormap,
    invert: flag(keys, 'invert', plain.invert),
    lossless: flag(keys, 'png', false),
  }
  return fitStyle(style, cube)
}
