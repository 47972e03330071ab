// How long a thing on the screen is.

import type { Cube } from '../api/wire'
import { angularBar, pixelBar } from '../core/scale'
import type { Part } from './controls'
import { h } from './dom'

const ROOM = 140

export interface ScaleBar extends Part {
  /** `scale` in CSS pixels per image pixel. */
  show(scale: number): void
}

export function scaleBar(cube: Cube): ScaleBar {
  const line = h('div', { class: 'vd-scale-line' })
  const label = h('span', {})
  const pixel = cube.wcs?.pixel_scale
  return {
    element: h('div', { class: 'vd-scale', id: 'scale-bar', role: 'img' }, label, line),
    show(scale) {
      const bar = pixel ? angularBar(pixel / scale, ROOM) : pixelBar(1 / scale, ROOM)
      line.style.width = `${Math.round(bar.width)}px`
      label.textContent = bar.label
      line.parentElement?.setAttribute('aria-label', `Scale bar: ${bar.label}`)
    },
  }
}
