// What is being looked at.

import type { Cube } from '../api/wire'
import { formatUnit } from '../core/units'
import { iconButton, type Part } from './controls'
import { h } from './dom'
import { icon } from './icons'

export interface CubeActions {
  switchCube(): void
  copyLink(): void
  chooseLayer(layer: string): void
}

const baseName = (name: string): string => name.slice(name.lastIndexOf('/') + 1)

function facts(cube: Cube): [string, string][] {
  // People say x × y × channels; the array is the other way round.
  const shape = [...cube.shape].reverse().join(' × ')
  const folder = cube.name.slice(0, Math.max(0, cube.name.lastIndexOf('/')))
  return [
    ['Object', cube.object],
    ['Folder', folder],
    ['Size', `${shape} · ${cube.dtype}`],
    ['Unit', formatUnit(cube.unit)],
    [
      'Frame',
      cube.wcs
        ? `${cube.wcs.frame.toUpperCase()} · ${cube.wcs.ctype.map((one) => one.slice(0, 4).replace(/-+$/, '')).join(', ')}`
        : '',
    ],
  ]
}

export function cubeCard(cube: Cube, actions: CubeActions): Part {
  const rows = facts(cube)
    .filter(([, value]) => value !== '')
    .flatMap(([term, value]) => [h('dt', {}, term), h('dd', {}, value)])
  const list = h('dl', { class: 'vd-facts' }, ...rows)
  if (cube.layers.length > 1) {
    const select = h(
      'select',
      { id: 'layer', 'aria-label': 'Layer', onchange: () => actions.chooseLayer(select.value) },
      ...cube.layers.map((layer) => h('option', { value: layer, selected: layer === cube.layer }, layer)),
    )
    list.append(h('dt', {}, 'Layer'), h('dd', {}, select))
  }
  const swap = h(
    'button',
    {
      type: 'button',
      class: 'vd-cube-name',
      id: 'switch-cube',
      title: `${cube.name} – open another cube`,
      onclick: actions.switchCube,
    },
    h('span', {}, baseName(cube.name)),
    icon('swap'),
  )
  const head = h(
    'div',
    { class: 'vd-cube-head' },
    swap,
    iconButton('link', 'Copy a link to this view', actions.copyLink, 'copy-link'),
  )
  const warnings = cube.warnings.map((warning) => h('p', { class: 'vd-note' }, warning))
  return {
    element: h('section', { class: 'vd-section vd-cube', 'aria-label': 'Cube' }, head, list, ...warnings),
  }
}
