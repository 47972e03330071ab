import { describe, expect, it } from 'vitest'
import { renderingQuery } from '../../src/api/urls'
import { parsePresets } from '../../src/api/wire'
import { formatHash, parseHash, styleOfLink } from '../../src/link/hash'
import { isShownBy } from '../../src/map/region'
import { styleOfPreset } from '../../src/style/preset'
import { elementsOf, isCollapse } from '../../src/style/recipes'
import { renderingOf } from '../../src/style/rendering'
import { defaultStyle, isComposite } from '../../src/style/style'
import { makeCube } from '../cube'

const cube = makeCube()
const plain = defaultStyle(cube)

describe('recipes', () => {
  it('are their elements, in place of channels', () => {
    expect(elementsOf(' range:0-1:red ;; range:2-3:#00f; ')).toEqual(['range:0-1:red', 'range:2-3:#00f'])
    const style = {
      ...plain,
      mode: 'color' as const,
      recipe: 'range:0-1:red;range:2-3:blue',
      renormalise: true,
    }
    const rendering = renderingOf({ ...style, saturation: 1.5, hue: true, stretch: 'asinh:10' }, cube)
    if (!rendering) throw new Error('no rendering')
    const query = renderingQuery(rendering)
    expect(query).toContain('?mix=range:0-1:red&mix=range:2-3:blue&nan=renormalise&')
    expect(query).toContain('&stretch=asinh:10&saturation=1.5&hue=true&')
    for (const key of ['channel', 'cuts', 'colormap']) expect(query).not.toContain(`${key}=`)
    expect(isShownBy({ level: 0, planes: [3, 4], box: [0, 0, 1, 1] }, rendering)).toBe(true)
  })

  it('that make one plane of a range go through the colormap', () => {
    const style = { ...plain, mode: 'color' as const, recipe: 'max:*', colormap: 'jet', saturation: 2 }
    expect([isCollapse('max:*'), isCollapse('range:*:red'), isComposite(style)]).toEqual([true, false, false])
    const rendering = renderingOf(style, cube)
    expect(rendering).toMatchObject({ recipe: ['max:*'], colormap: 'jet' })
    expect(rendering).not.toHaveProperty('saturation')
  })
})

describe('presets', () => {
  it('are read with one value or several for a key', () => {
    const answer = parsePresets({
      presets: [{ name: 'Hα', keys: { mix: ['range:0-1:red', 'range:2-3:blue'], gamma: '1.5' } }, 7],
    })
    expect(answer).toEqual({
      ok: true,
      value: [{ name: 'Hα', keys: { mix: ['range:0-1:red', 'range:2-3:blue'], gamma: ['1.5'] } }],
    })
    expect(parsePresets({}).ok).toBe(false)
  })

  it('become styles; how tiles are packed stays', () => {
    const keys = { mix: ['cie', '3:red'], saturation: ['1.5'], stretch: ['asinh:20'], hue: ['true'] }
    const now = { ...plain, quality: 50, contrast: 7, lossless: true }
    const style = styleOfPreset({ name: 'x', keys }, cube, now)
    expect(style).toEqual({
      ...plain,
      mode: 'color',
      recipe: 'cie;3:red',
      saturation: 1.5,
      stretch: 'asinh:20',
      gamma: 1,
      hue: true,
      quality: 50,
      lossless: true,
    })
  })

  it('of a composite bring their cuts, and links keep them', () => {
    const keys = { mix: ['range:0-1:red', '3:blue'], cuts: ['0,40', '3:-1,5'] }
    const style = styleOfPreset({ name: 'x', keys }, cube, plain)
    const rendering = renderingOf(style, cube)
    if (!rendering) throw new Error('no rendering')
    expect(renderingQuery(rendering)).toContain('?cuts=0,40&cuts=3:-1,5&mix=range:0-1:red&mix=3:blue&')
    const link = parseHash(formatHash(cube, style, { x: 1, y: 1, zoom: 0 }))
    if (!link) throw new Error('no link')
    expect(styleOfLink(link.keys, cube)).toEqual(style)
    expect(styleOfPreset({ name: 'y', keys: { mix: ['cie'] } }, cube, style).recipeCuts).toEqual([])
  })

  it('of a single channel bring their cuts', () => {
    const keys = { channel: ['2'], cuts: ['1,5'], colormap: ['hot'], gamma: ['0.5'], stretch: ['nonsense'] }
    const style = styleOfPreset({ name: 'x', keys }, cube, plain)
    expect(style).toEqual({
      ...plain,
      channel: 2,
      method: 'manual',
      shared: true,
      pinned: [1, 5],
      colormap: 'hot',
      gamma: 0.5,
    })
  })
})
