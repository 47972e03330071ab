import { expect, it } from 'vitest'
import {
  errorMessage,
  parseColormaps,
  parseCube,
  parseCuts,
  parseFolder,
  parseValues,
} from '../../src/api/wire'
import { makeCube } from '../cube'

it('takes a cube as documented, and fills what may be absent', () => {
  expect(parseCube(makeCube())).toEqual({ ok: true, value: makeCube() })
  const { defaults: _d, unit: _u, ...bare } = makeCube()
  const parsed = parseCube({ ...bare, wcs: undefined, cuts: [null, [0, 'x'], [0, 1]] })
  expect(parsed.ok && parsed.value.defaults.gamma).toBe(2.2)
  expect(parsed.ok && parsed.value.wcs).toBeNull()
  expect(parsed.ok && parsed.value.unit).toBe('')
  expect(parsed.ok && parsed.value.cuts).toEqual([null, null, [0, 1]])
})

it('refuses what cannot be shown', () => {
  for (const wrong of [
    null,
    'x',
    {},
    makeCube({ levels: [] }),
    makeCube({ width: 0 }),
    makeCube({ channels: [] }),
  ])
    expect(parseCube(wrong).ok).toBe(false)
})

it('takes a folder as documented, and entries that know little', () => {
  const whole = { path: 'a', entries: [], total: 7, offset: 5, next: null, truncated: false }
  expect(parseFolder(whole)).toEqual({ ok: true, value: whole })
  const layer = { name: 'SCI', shape: [2, 3], dtype: 'int16', unit: '' }
  const page = parseFolder({
    ...whole,
    entries: [
      { name: 'a/x', kind: 'cube', format: 'FITS', size: 5, layers: [layer] },
      { name: 'a/y', kind: 'strange', pending: true, error: 'why' },
    ],
  })
  expect(page.ok && page.value.entries).toEqual([
    { name: 'a/x', kind: 'cube', format: 'FITS', size: 5, pending: false, layers: [layer] },
    { name: 'a/y', kind: 'other', format: null, size: null, pending: true, error: 'why' },
  ])
  expect(parseFolder({ cubes: [] }).ok).toBe(false)
})

it('checks the small answers, too', () => {
  expect(parseCuts({ cuts: [1, 2] })).toEqual({ ok: true, value: [1, 2] })
  expect(parseCuts({ cuts: [1, null] }).ok).toBe(false)
  expect(parseColormaps({ colormaps: ['grey', 3] })).toEqual({ ok: true, value: ['grey'] })
  expect(parseValues({ values: [null], channels: [0], x: 1, y: 1 }).ok).toBe(true)
  expect(parseValues({}).ok).toBe(false)
})

it('reads the sentences of an error', () => {
  expect(errorMessage({ detail: [{ msg: 'a' }, { msg: 'b' }] })).toBe('a; b')
  expect(errorMessage('oops')).toBe('')
})
