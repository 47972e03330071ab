// How the picture is doing. Empty when all is well.

import { type Condition, conditionOf, type Progress } from '../map/progress'
import type { Part } from './controls'
import { h } from './dom'

const TEXT: Readonly<Record<Condition, string>> = {
  idle: '',
  loading: 'Loading',
  retrying: 'Server busy, retrying',
  offline: 'Offline, reconnecting',
  preview: 'Preview',
  failed: 'Some tiles failed',
}

/** Quick loads are not worth a word. */
const CALM = 250

export interface Badge extends Part {
  show(progress: Progress): void
}

export function badge(): Badge {
  const element = h('output', {
    class: 'vd-badge',
    id: 'badge',
    'data-testid': 'badge',
    'data-state': 'idle',
  })
  let timer: number | undefined
  const set = (condition: Condition, text: string): void => {
    element.dataset.state = condition
    element.textContent = text
  }
  return {
    element,
    show(progress) {
      const condition = conditionOf(progress)
      const text = TEXT[condition] + (progress.pending > 0 ? ` · ${progress.pending}` : '')
      if (condition !== 'loading' || element.dataset.state !== 'idle') {
        window.clearTimeout(timer)
        timer = undefined
        set(condition, text)
      } else timer ??= window.setTimeout(() => set('loading', TEXT.loading), CALM)
    },
  }
}
