import { expect, it } from 'vitest'
import { createUrls, type Rendering, renderingQuery } from '../../src/api/urls'

const urls = createUrls('http://host/prefix/')
const mono: Rendering = {
  channel: 3,
  cuts: [-0.5, 1e21],
  brightness: -5,
  contrast: 1.5,
  gamma: 2.2,
  colormap: 'grey',
  invert: false,
  quality: 90,
  lossless: false,
  fingerprint: 'f00d',
}

it('are below the page, with names kept in their folders', () => {
  expect(urls.cubes()).toBe('http://host/prefix/cubes')
  expect(urls.folder('')).toBe('http://host/prefix/cubes?path=&details=true')
  expect(urls.folder('a b/c', { offset: 200, limit: 5, contains: 'x&' })).toBe(
    'http://host/prefix/cubes?path=a%20b/c&offset=200&limit=5&contains=x%26&details=true',
  )
  expect(urls.cube('a b/c#?%.fits')).toBe('http://host/prefix/cubes/a%20b/c%23%3F%25.fits')
  expect(urls.cube('x', 'SCI,1')).toBe('http://host/prefix/cubes/x?layer=SCI,1')
  expect(urls.values('x', 5, 6, [2, 0])).toBe('http://host/prefix/cubes/x/values?x=5&y=6&channel=2&channel=0')
  expect(urls.cuts('x', 1, '99.5')).toBe('http://host/prefix/cubes/x/cuts?channel=1&method=99.5')
})

it('have their keys in one order', () => {
  expect(urls.tile('x', { level: 2, row: 1, column: 7 }, mono)).toBe(
    'http://host/prefix/cubes/x/tiles/2/1/7.jpg?channel=3&cuts=-0.5,1e%2B21&brightness=-5&contrast=1.5' +
      '&gamma=2.2&colormap=grey&invert=false&quality=90&v=f00d',
  )
  const shuffled = Object.fromEntries(Object.entries(mono).reverse()) as unknown as Rendering
  expect(renderingQuery(shuffled)).toBe(renderingQuery(mono))
})

it('ask for a quality only where there is one', () => {
  const url = urls.tile('x', { level: 0, row: 0, column: 0 }, { ...mono, lossless: true })
  expect(url).toContain('/0.png?')
  expect(url).not.toContain('quality')
})

it('carry a mix in the order of channels, and then neither channel nor colormap', () => {
  const a = { channel: 4, weights: [0, 0, 1], cuts: [0, 2] } as const
  const b = { channel: 1, weights: [1, 0.5, 0], cuts: [0, 1] } as const
  const query = renderingQuery({ ...mono, layer: 'SCI', mix: [a, b] })
  expect(query).toBe(
    '?layer=SCI&cuts=1:0,1&cuts=4:0,2&mix=1:1,0.5,0&mix=4:0,0,1&brightness=-5&contrast=1.5&gamma=2.2&invert=false&quality=90&v=f00d',
  )
  expect(renderingQuery({ ...mono, layer: 'SCI', mix: [b, a] })).toBe(query)
})

it('lead to the events by a WebSocket, secure where the page is', () => {
  const watched = { cube: 'a b/c&d.fits', layer: 'SCI', v: 'f00d' }
  expect(urls.events(watched)).toBe('ws://host/prefix/events?cube=a%20b%2Fc%26d.fits&layer=SCI&v=f00d')
  expect(createUrls('https://host/').events(watched, 'abc.17')).toBe(
    'wss://host/events?cube=a%20b%2Fc%26d.fits&layer=SCI&v=f00d&since=abc.17',
  )
})
