// Where the pointer is and what is there.

import type { Cube } from '../api/wire'
import { formatNumber } from '../core/format'
import { formatUnit } from '../core/units'
import type { Reading } from '../viewer/probe'
import type { Part } from './controls'
import { h } from './dom'

export interface StatusLine extends Part {
  show(reading: Reading | null): void
}

const HINT = window.matchMedia('(hover: none)').matches
  ? 'Tap the image for position and value'
  : 'Point at the image for position and value'

/** `1.25 K`, or the values of several channels with one unit. */
export function valueText(values: readonly (number | null)[], unit: string): string {
  const text = values.map((value) => (value === null ? 'blank' : formatNumber(value))).join(', ')
  return unit && values.some((value) => value !== null) ? `${text} ${formatUnit(unit)}` : text
}

/** `between` stands between the position and the value. */
export function statusLine(cube: Cube, between: HTMLElement | null = null): StatusLine {
  const pixel = h('span', { class: 'vd-status-pixel', title: 'FITS pixel: counted from 1, y up' })
  const world = h('span', { class: 'vd-status-world' }, HINT)
  const position = h('span', { id: 'status-position', 'data-testid': 'status-position' }, pixel, world)
  const value = h('span', { id: 'status-value', 'data-testid': 'status-value' })
  const frame = cube.wcs?.frame.toUpperCase() ?? ''
  return {
    element: h(
      'div',
      { class: 'vd-status', role: 'group', 'aria-label': 'Under the pointer' },
      position,
      between,
      value,
    ),
    show(reading) {
      if (!reading) {
        position.classList.remove('vd-waiting')
        pixel.textContent = ''
        world.textContent = HINT
        value.textContent = ''
        return
      }
      const { x, y } = reading.pixel
      pixel.textContent = `x ${x}  y ${y}`
      // Until the answer is there the last one stays, dimmed: text that blinks cannot be read.
      const known = reading.sky !== undefined
      if (known) world.textContent = reading.sky ? `${reading.sky} ${frame}`.trim() : ''
      position.classList.toggle('vd-waiting', reading.values === null && !known)
      value.classList.toggle('vd-waiting', reading.values === null)
      if (!reading.values) return
      const { values, unit, world: sky } = reading.values
      if (!known) world.textContent = sky ? `${sky.text.join(' ')} ${frame}`.trim() : ''
      value.textContent = valueText(values, unit || cube.unit)
    },
  }
}
