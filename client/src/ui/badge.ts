// How the picture is doing. Empty when all is well.

import { type Condition, conditionOf, type Progress } from '../map/progress'
import type { Part } from './controls'
import { h } from './dom'

/** What becomes of the file, which is more than its tiles can tell. */
export type FileState = 'changed' | 'gone'

const TEXT: Readonly<Record<Condition | FileState, string>> = {
  changed: 'File changed, reading it anew',
  gone: 'No longer on the server',
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
  /** Told of the file, until all tiles are well again. */
  hold(state: FileState): void
}

export function badge(): Badge {
  const element = h('output', {
    class: 'vd-badge',
    id: 'badge',
    'data-testid': 'badge',
    'data-state': 'idle',
  })
  let timer: number | undefined
  let held: FileState | undefined
  const set = (condition: Condition | FileState, text: string): void => {
    element.dataset.state = condition
    element.textContent = text
  }
  return {
    element,
    hold(state) {
      held = state
      window.clearTimeout(timer)
      timer = undefined
      set(state, TEXT[state])
    },
    show(progress) {
      if (progress.failed === 0 && progress.pending === 0) held = undefined
      if (held) return
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
