// The curve between the cuts and the screen.

import { formatStretch, gammaFor, parseStretch, STRETCHES } from '../style/stretch'
import { isComposite } from '../style/style'
import type { Session } from '../viewer/session'
import { numberField, type Part } from './controls'
import { h, setField } from './dom'

export function stretchField(session: Session): Part {
  const { store } = session
  const { cube } = store.get()
  const choose = (stretch: string): void => {
    const { style } = store.get()
    session.change({ stretch, gamma: gammaFor(stretch, style, cube.defaults.gamma) })
  }
  const select = h(
    'select',
    {
      id: 'stretch',
      onchange: () => {
        const kind = STRETCHES.find((one) => one.name === select.value)
        if (kind) choose(formatStretch(kind))
      },
    },
    ...STRETCHES.map((one) => h('option', { value: one.name }, one.label)),
  )
  const number = numberField('stretch-value', 'Strength of the stretch', (value) => {
    const shown = parseStretch(store.get().style.stretch)
    if (!shown?.kind.number) return
    const [least, most] = shown.kind.number.range
    choose(formatStretch(shown.kind, Math.min(most, Math.max(least, value))))
  })
  const render = (): void => {
    const { style } = store.get()
    const shown = parseStretch(style.stretch)
    if (!shown) return
    setField(select, shown.kind.name)
    const takes = shown.kind.number
    number.hidden = !takes
    if (takes) {
      number.title = takes.label
      number.setAttribute('aria-label', takes.label)
      setField(number, String(shown.value))
    }
    for (const [i, one] of STRETCHES.entries()) {
      const option = select.options[i]
      if (option) option.disabled = one.mono === true && isComposite(style)
    }
  }
  store.subscribe(render)
  render()
  return {
    element: h(
      'div',
      { class: 'vd-field vd-stretch' },
      h('label', { for: 'stretch' }, 'Stretch'),
      select,
      number,
    ),
  }
}
