import { describe, expect, it } from 'vitest'
import { formatHash, parseHash, styleOfLink } from '../../src/link/hash'
import { fovOfZoom, linkOfPage, zoomOfFov } from '../../src/link/query'
import { defaultStyle, type Style } from '../../src/style/style'
import { makeCube } from '../cube'

const cube = makeCube()
const position = { x: 52.5, y: 17.25, zoom: 3.25 }
const plain = defaultStyle(cube)

function roundTrip(style: Style, at = cube): Style {
  const link = parseHash(`#${formatHash(at, style, position)}`)
  if (!link) throw new Error('no link')
  expect(link.cube).toBe(at.name)
  expect(link.position).toEqual(position)
  return styleOfLink(link.keys, at)
}

describe('hash', () => {
  it('is short for a plain view', () => {
    expect(formatHash(cube, plain, position)).toBe(
      'cube=sub/l1448%2013co.fits&x=52.5&y=17.25&z=3.25&channel=0',
    )
  })

  it('brings every style back', () => {
    const styles: Partial<Style>[] = [
      {},
      { channel: 3, colormap: 'a+b & c', invert: true, lossless: true },
      { brightness: -20, contrast: 2.5, gamma: 1, quality: 50 },
      { method: 'manual', pinned: [-1e-17, 1e21] },
      { method: '99.5', pinned: [0, 5] },
      { method: 'manual', shared: false, own: { 0: [1, 2] } },
      { method: 'zscale', shared: false, channel: 2, own: { 2: [1, 2] } },
      {
        mode: 'color',
        mix: [
          { channel: 0, color: '#ff8000', cuts: [0.5, 2] },
          { channel: 3, color: '#0000ff', cuts: null },
        ],
      },
      { mode: 'color', mix: [] },
      { mode: 'color', recipe: 'range:656-660nm:red; pca', renormalise: true, saturation: 1.5, hue: true },
      { stretch: 'log:500', gamma: 1 },
      { method: 'histogram', pinned: [0, 5] },
      { mode: 'color', recipe: 'cie', recipeCuts: ['0,40', '3:-1,5'] },
    ]
    for (const change of styles) expect(roundTrip({ ...plain, ...change })).toEqual({ ...plain, ...change })
  })

  it('names the layer where there are several', () => {
    const many = makeCube({ layers: ['A', 'B'], layer: 'B' })
    expect(parseHash(formatHash(many, defaultStyle(many), position))?.layer).toBe('B')
  })

  it('takes what it does not understand as absent', () => {
    const keys = new URLSearchParams(
      'channel=x&gamma=99&contrast=&cuts=1,1&mix=9:zz;1:00ff00:0,1;7:ffffff&mode=purple&method=best&shared=maybe',
    )
    const style = styleOfLink(keys, cube)
    expect(style).toEqual({
      ...plain,
      gamma: 5,
      shared: false,
      mix: [{ channel: 1, color: '#00ff00', cuts: [0, 1] }],
    })
  })

  it('is none without a cube', () => {
    expect(parseHash('')).toBeNull()
    expect(parseHash('#x=1')).toBeNull()
    expect(parseHash('#cube=a&x=1')?.position).toBeUndefined()
  })
})

describe('page', () => {
  it('is asked by its query, and by its fragment before that', () => {
    expect(linkOfPage('?image=a/b.fits&channel=2&mode=color', '')?.cube).toBe('a/b.fits')
    expect(linkOfPage('?image=a', '#cube=b')?.cube).toBe('b')
    expect(linkOfPage('?channel=1', '')).toBeNull()
    const link = linkOfPage('?image=a&channel=2&mode=color', '')
    expect(link && styleOfLink(link.keys, cube)).toMatchObject({ channel: 2, mode: 'color' })
  })

  it('turns a field of view into a zoom', () => {
    const zoom = zoomOfFov('0.5', cube, 800, 0)
    expect(zoom).toBe(4)
    expect(fovOfZoom(4, 0.01, 800, 0)).toBe(0.5)
    expect(zoomOfFov('wide', cube, 800, 0)).toBeUndefined()
    expect(zoomOfFov('1', makeCube({ wcs: null }), 800, 0)).toBeUndefined()
  })
})
