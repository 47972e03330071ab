import { expect, it } from 'vitest'
import { styleOfLink } from '../../src/link/hash'
import { linkOfLayer, placeOf } from '../../src/link/layer'
import { defaultStyle } from '../../src/style/style'
import { makeCube } from '../cube'

const data = makeCube({ layers: ['DATA', 'STAT'], layer: 'DATA' })
const stat = makeCube({ layers: ['DATA', 'STAT'], layer: 'STAT' })
const place = { x: 20.5, y: 30.25, zoom: 2 }

it('another layer is seen in the same place, on the same channel, with the same look', () => {
  const style = { ...defaultStyle(data), channel: 2, colormap: 'hot', invert: true, gamma: 1 }
  const link = linkOfLayer(data, style, place, 'STAT')
  expect(link).toMatchObject({ cube: data.name, layer: 'STAT', position: place })
  expect(styleOfLink(link.keys, stat)).toEqual({
    ...defaultStyle(stat),
    channel: 2,
    colormap: 'hot',
    invert: true,
    gamma: 1,
  })
  expect(placeOf(link, stat)).toEqual(place)
})

it('cuts and mixes stay with the pixels that they are for', () => {
  const plain = defaultStyle(data)
  const style = {
    ...plain,
    method: 'manual' as const,
    pinned: [5, 6] as const,
    mix: [{ channel: 1, color: '#ff0000', cuts: null }],
  }
  const { keys } = linkOfLayer(data, style, place, 'STAT')
  expect(styleOfLink(keys, stat)).toEqual(defaultStyle(stat))
})

it('a picture of another size is seen as a whole', () => {
  const link = linkOfLayer(data, defaultStyle(data), place, 'STAT')
  expect(placeOf(link, { width: 105, height: 106 })).toBeUndefined()
  expect(placeOf({ cube: 'a', position: place, keys: link.keys }, { width: 1, height: 1 })).toEqual(place)
})
