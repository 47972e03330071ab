// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { FolderQuery } from '../../src/api/urls'
import type { FolderEntry, FolderPage } from '../../src/api/wire'
import { fail, ok, type Result } from '../../src/core/errors'
import { type Chooser, chooser, folderOf, shapeText } from '../../src/ui/chooser'

const PAGE = 3
const cube = (name: string, more: Partial<FolderEntry> = {}): FolderEntry => ({
  name,
  kind: 'cube',
  format: 'FITS',
  size: 2000,
  pending: false,
  layers: [{ name: 'PRIMARY', shape: [3, 20, 10], dtype: 'int16', unit: '' }],
  ...more,
})
const folder = (name: string): FolderEntry => ({
  name,
  kind: 'folder',
  format: null,
  size: null,
  pending: false,
})

let asked: [string, FolderQuery][] = []
let tree: Record<string, FolderEntry[]> = {}
let made: Chooser | undefined

/** A server of a made-up tree, three entries a page. */
const client = {
  folder: async (path: string, part: FolderQuery): Promise<Result<FolderPage>> => {
    asked.push([path, part])
    const all = tree[path]?.filter((entry) => entry.name.includes(part.contains ?? ''))
    if (!all) return fail({ kind: 'http', status: 404, message: 'no such folder' })
    const offset = part.offset ?? 0
    const last = offset + Math.min(PAGE, part.limit ?? PAGE)
    const entries = all.slice(offset, last)
    const next = last < all.length ? last : null
    return ok({ path, entries, total: all.length, offset, next, truncated: false })
  },
}

function open(path = '', current?: string) {
  const picked = vi.fn()
  made = chooser(client, { folder: path, current, picked })
  document.body.replaceChildren(made.element)
  return { element: made.element, picked }
}
const flush = () => vi.advanceTimersByTimeAsync(0)
const rows = () => [...document.querySelectorAll('.vd-list-row')].map((row) => row.children[0]?.textContent)
const find = (selector: string) => document.querySelector(selector) as HTMLElement
const crumbs = () => [...document.querySelectorAll('.vd-crumbs button')].map((one) => one.textContent)
const press = (key: string) =>
  document.activeElement?.dispatchEvent(
    new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }),
  )

beforeEach(() => {
  vi.useFakeTimers()
  asked = []
  tree = {
    '': [folder('a'), cube('x.fits'), cube('y.fits')],
    a: [cube('a/z.fits'), folder('a/b')],
    'a/b': [],
  }
})
afterEach(() => {
  made?.stop()
  vi.useRealTimers()
})

it('says what there is: names, types, sizes, shapes', async () => {
  open('', 'y.fits')
  await flush()
  expect(rows()).toEqual(['a/', 'x.fits', 'y.fits'])
  expect(find('li:nth-child(2) a').getAttribute('href')).toBe('#cube=x.fits')
  expect([...find('li:nth-child(2) a').children].map((one) => one.textContent)).toEqual([
    'x.fits',
    'FITS',
    '2.00 kB',
    '10 × 20 × 3',
  ])
  expect(find('a[aria-current]').textContent).toContain('y.fits')
  expect(shapeText(cube('x', { layers: [] }))).toBe('')
  const two = [1, 2].map((n) => ({ name: `${n}`, shape: [4, 5], dtype: 'int8', unit: '' }))
  expect(shapeText(cube('x', { layers: two }))).toBe('5 × 4 +1')
  expect([folderOf('a/b/c.fits'), folderOf('c.fits')]).toEqual(['a/b', ''])
})

it('goes into folders and back by the breadcrumbs', async () => {
  open()
  await flush()
  find('button.vd-list-row').click()
  await flush()
  expect([rows(), crumbs()]).toEqual([
    ['z.fits', 'b/'],
    ['All cubes', 'a'],
  ])
  find('button.vd-list-row').click()
  await flush()
  expect(find('.vd-note').textContent).toBe('This folder is empty.')
  expect(crumbs()).toEqual(['All cubes', 'a', 'b'])
  find('.vd-crumbs button').click()
  await flush()
  expect(rows()).toHaveLength(3)
})

it('begins at the top where its folder is gone', async () => {
  open('gone/since')
  await flush()
  expect(rows()).toHaveLength(3)
  expect(crumbs()).toEqual(['All cubes'])
})

it('loads page after page', async () => {
  tree[''] = Array.from({ length: 8 }, (_, n) => cube(`${n}.fits`))
  open()
  await flush()
  for (const count of [3, 6]) {
    expect(rows()).toHaveLength(count)
    expect(find('#more-cubes').hidden).toBe(false)
    find('#more-cubes').click()
    await flush()
  }
  expect(rows()).toEqual(Array.from({ length: 8 }, (_, n) => `${n}.fits`))
  expect(find('#more-cubes').hidden).toBe(true)
})

it('asks again for what is pending, and only as long as anything is', async () => {
  tree[''] = [cube('x.fits', { pending: true, layers: [] }), cube('y.fits')]
  open()
  await flush()
  const shape = () => find('li:first-child .vd-list-shape').textContent
  expect(shape()).toBe('…')
  find('li:first-child a').focus()
  await vi.advanceTimersByTimeAsync(700)
  expect([asked.length, shape()]).toEqual([2, '…'])
  tree[''] = [cube('x.fits'), cube('y.fits')]
  await vi.advanceTimersByTimeAsync(700)
  expect(shape()).toBe('10 × 20 × 3')
  expect(document.activeElement?.textContent).toContain('x.fits')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(asked).toHaveLength(3)
})

it('filters on the server, once the typing is over', async () => {
  open()
  await flush()
  const search = find('#cube-filter') as HTMLInputElement
  for (const text of ['y', 'y.', 'y.f']) {
    search.value = text
    search.dispatchEvent(new Event('input'))
  }
  await vi.advanceTimersByTimeAsync(2000)
  expect(rows()).toEqual(['y.fits'])
  expect(asked).toHaveLength(2)
  search.value = 'nothing'
  search.dispatchEvent(new Event('input'))
  await vi.advanceTimersByTimeAsync(2000)
  expect(find('.vd-note').textContent).toBe('Nothing here has such a name.')
})

it('is walked through by keys', async () => {
  open()
  await flush()
  find('#cube-filter').focus()
  press('ArrowDown')
  expect(document.activeElement?.textContent).toContain('a/')
  press('ArrowDown')
  expect(document.activeElement?.textContent).toContain('x.fits')
  press('ArrowUp')
  press('ArrowUp')
  expect(document.activeElement).toBe(find('#cube-filter'))
})

it('tells of what cannot be opened, which is no link', async () => {
  tree[''] = [cube('x.txt', { kind: 'other', format: null, layers: [], error: 'it is a text' })]
  open()
  await flush()
  expect(document.querySelector('#cube-list a')).toBeNull()
  expect(find('.vd-list-error').textContent).toBe('it is a text')
})

it('tells whoever listens that a cube was picked', async () => {
  const { picked } = open()
  await flush()
  find('#cube-list a').click()
  expect(picked).toHaveBeenCalledOnce()
})
