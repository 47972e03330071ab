// How far the server is with what will make previews exact: one line, there as long as there is something to say.

import type { Building } from '../api/events'
import { formatBytes, formatDuration } from '../core/format'
import type { Part } from './controls'
import { h } from './dom'

export interface BuildingLine extends Part {
  /** Null: it is not known any more. */
  show(progress: Building | null): void
  built(): void
  failed(message: string): void
}

const percentOf = ({ done, total }: Building): number =>
  total > 0 ? Math.max(0, Math.min(100, Math.floor((100 * done) / total))) : 0

/** `building the pyramid: 34 %, 1.20 GB/s, 6 s left`, as far as it is known. */
export function buildingText(progress: Building): string {
  const { rate, left } = progress
  const parts = [`building the pyramid: ${percentOf(progress)} %`]
  if (rate !== null && rate > 0) parts.push(`${formatBytes(Math.round(rate))}/s`)
  if (left !== null && left >= 0) parts.push(`${formatDuration(left)} left`)
  return parts.join(', ')
}

export function buildingLine(): BuildingLine {
  const text = h('span', { class: 'vd-building-text', role: 'progressbar', 'aria-label': 'Pyramid' })
  // Numbers that change four times a second are for the eyes; what is read out is that it begins and how it ends.
  const spoken = h('span', { class: 'vd-unseen', role: 'status', 'aria-live': 'polite' })
  const element = h('span', { class: 'vd-building', 'data-testid': 'building' }, text, spoken)
  let state: 'idle' | 'building' | 'failed' = 'idle'
  const become = (next: typeof state): void => {
    state = next
    element.dataset.state = next
    text.hidden = next === 'idle'
  }
  become('idle')
  return {
    element,
    show(progress) {
      if (progress === null) {
        if (state === 'building') become('idle')
        return
      }
      if (state !== 'building') spoken.textContent = 'Building the pyramid.'
      become('building')
      const percent = percentOf(progress)
      text.setAttribute('role', 'progressbar')
      text.setAttribute('aria-valuenow', String(percent))
      text.setAttribute('aria-valuetext', `${percent} %`)
      text.textContent = buildingText(progress)
    },
    built() {
      if (state === 'building') spoken.textContent = 'The pyramid is built.'
      become('idle')
    },
    failed(message) {
      become('failed')
      text.removeAttribute('role')
      text.removeAttribute('aria-valuenow')
      text.removeAttribute('aria-valuetext')
      text.textContent = message
      spoken.textContent = message
    },
  }
}
