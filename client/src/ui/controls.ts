// The small parts that panels are made of.

import { formatNumber } from '../core/format'
import { h } from './dom'
import { type IconName, icon } from './icons'

export interface Part {
  readonly element: HTMLElement
}

export function iconButton(
  name: IconName,
  label: string,
  onclick: () => void,
  id?: string,
): HTMLButtonElement {
  return h(
    'button',
    { type: 'button', class: 'vd-icon-button', 'aria-label': label, title: label, id, onclick },
    icon(name),
  )
}

export function textButton(text: string, onclick: () => void, id?: string): HTMLButtonElement {
  return h('button', { type: 'button', class: 'vd-button', id, onclick }, text)
}

/** A part of the panel under its own heading, with room for buttons beside it. */
export function section(
  title: string,
  actions: readonly HTMLElement[],
  ...children: HTMLElement[]
): HTMLElement {
  const head = h('div', { class: 'vd-section-head' }, h('h2', {}, title), ...actions)
  return h('section', { class: 'vd-section', 'aria-label': title }, head, ...children)
}

export interface Toggle extends Part {
  set(on: boolean): void
}

export function toggle(id: string, text: string, changed: (on: boolean) => void): Toggle {
  const input = h('input', { type: 'checkbox', id, onchange: () => changed(input.checked) })
  return {
    element: h('label', { class: 'vd-toggle' }, input, h('span', {}, text)),
    set: (on) => {
      input.checked = on
    },
  }
}

/** What a field says; the exact number that it shows rounded, unless it was changed. */
export const readField = (input: HTMLInputElement, exact: number | undefined): number =>
  exact !== undefined && input.value === formatNumber(exact) ? exact : input.valueAsNumber

export function numberField(
  id: string | undefined,
  label: string,
  changed: (value: number) => void,
): HTMLInputElement {
  const input = h('input', {
    type: 'number',
    step: 'any',
    class: 'vd-number',
    id,
    'aria-label': label,
    title: label,
    onchange: () => {
      if (input.value.trim() !== '' && Number.isFinite(input.valueAsNumber)) changed(input.valueAsNumber)
    },
    // Enter confirms, and gives the keys back to the map.
    onkeydown: (event) => {
      if ((event as KeyboardEvent).key === 'Enter') input.blur()
    },
  })
  return input
}
