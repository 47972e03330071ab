// The list of cubes. Its items are links: they open in another tab as any link does.

import type { CubeEntry } from '../api/wire'
import { formatBytes } from '../core/format'
import { h } from './dom'

/** Short lists are read faster than filtered. */
const MANY = 8

export interface Chosen {
  cubes: readonly CubeEntry[]
  truncated: boolean
}

function item(cube: CubeEntry, current: string | undefined, picked: () => void): HTMLElement {
  const cut = cube.name.lastIndexOf('/') + 1
  const link = h(
    'a',
    {
      href: `#cube=${encodeURIComponent(cube.name).replace(/%2F/g, '/')}`,
      onclick: picked,
      'aria-current': cube.name === current ? 'true' : undefined,
    },
    h(
      'span',
      { class: 'vd-list-name' },
      h('span', { class: 'vd-list-folder' }, cube.name.slice(0, cut)),
      cube.name.slice(cut),
    ),
    h('span', { class: 'vd-list-size' }, formatBytes(cube.size)),
  )
  return h('li', {}, link)
}

export function chooser(
  { cubes, truncated }: Chosen,
  current: string | undefined,
  picked: () => void,
): HTMLElement {
  if (cubes.length === 0)
    return h('p', { class: 'vd-note' }, 'There is no cube below the data roots of this server.')
  const items = cubes.map((cube) => [cube.name.toLowerCase(), item(cube, current, picked)] as const)
  const search = h('input', {
    type: 'search',
    id: 'cube-filter',
    placeholder: 'Filter by name',
    'aria-label': 'Filter by name',
    oninput: () => {
      const wanted = search.value.trim().toLowerCase()
      for (const [name, element] of items) element.hidden = !name.includes(wanted)
    },
  })
  search.hidden = cubes.length <= MANY
  const list = h('ul', { class: 'vd-list', id: 'cube-list' }, ...items.map(([, element]) => element))
  const note = truncated
    ? h('p', { class: 'vd-note' }, 'There are more cubes than this list can hold.')
    : null
  return h('div', { class: 'vd-chooser' }, search, list, note)
}
