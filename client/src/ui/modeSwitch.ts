// One channel through a colour map, or several in colours.

import type { Mode } from '../style/style'
import type { Session } from '../viewer/session'
import type { Part } from './controls'
import { h } from './dom'

const MODES: readonly [Mode, string][] = [
  ['mono', 'Single channel'],
  ['color', 'Colour composite'],
]

export function modeSwitch(session: Session): Part {
  const buttons = MODES.map(([mode, text]) =>
    h('button', { type: 'button', id: `mode-${mode}`, onclick: () => session.change({ mode }) }, text),
  )
  const render = (): void => {
    const { mode } = session.store.get().style
    MODES.forEach(([one], i) => {
      buttons[i]?.setAttribute('aria-pressed', String(one === mode))
    })
  }
  session.store.subscribe(render)
  render()
  return {
    element: h('div', { class: 'vd-segments', role: 'group', 'aria-label': 'Display mode' }, ...buttons),
  }
}
