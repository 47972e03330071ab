// Which values are black and which are white.

import { formatNumber } from '../core/format'
import { formatUnit } from '../core/units'
import { areCuts, monoCuts, withManualCuts, withShared } from '../style/cuts'
import { NO_RECIPE } from '../style/recipes'
import { METHOD_NAMES, METHODS, type Method, type MixEntry } from '../style/style'
import type { Cutting } from '../viewer/cutting'
import type { Session } from '../viewer/session'
import { iconButton, numberField, type Part, readField, section, toggle } from './controls'
import { h, setField } from './dom'

export function cutsPanel(session: Session, cutting: Cutting): Part {
  const { store } = session
  const { cube } = store.get()

  // A composite knows the cuts of its channels but not where they came from; we do, while they stay the same.
  let applied = { method: 'mad' as Method, cuts: '' }
  const cutsOf = (mix: readonly MixEntry[]): string =>
    JSON.stringify(mix.map((entry) => [entry.channel, entry.cuts]))
  const mixMethod = (mix: readonly MixEntry[]): Method => {
    if (mix.every((entry) => entry.cuts === null)) return 'mad'
    return cutsOf(mix) === applied.cuts ? applied.method : 'manual'
  }
  const choose = async (chosen: Method): Promise<void> => {
    await cutting.choose(chosen)
    applied = { method: chosen, cuts: cutsOf(store.get().style.mix) }
    render()
  }
  const typed = (): void => {
    const exact = monoCuts(store.get().style, cube)
    const [a, b] = [readField(low, exact?.[0]), readField(high, exact?.[1])]
    if (areCuts(a, b)) session.change(withManualCuts(store.get().style, [a, b]))
    else session.say('The low and the high cut must be two different numbers.')
  }
  const low = numberField('cut-low', 'Low cut', typed)
  const high = numberField('cut-high', 'High cut', typed)
  const fields = h(
    'div',
    { class: 'vd-pair' },
    h('label', { class: 'vd-field' }, h('span', {}, 'Low'), low),
    h('label', { class: 'vd-field' }, h('span', {}, 'High'), high),
  )
  const method = h(
    'select',
    { id: 'cut-method', onchange: () => void choose(method.value as Method) },
    ...[...METHODS, 'manual' as const].map((one) =>
      h('option', { value: one, disabled: one === 'manual' }, METHOD_NAMES[one]),
    ),
  )
  const methodField = h('label', { class: 'vd-field' }, h('span', {}, 'From'), method)
  const shared = toggle('cut-shared', 'Same cuts for all channels', (on) =>
    session.change(withShared(store.get().style, cube, on)),
  )
  const render = (): void => {
    const { style } = store.get()
    const mono = style.mode === 'mono'
    // A recipe takes the default cuts of its channels, or those of the preset that it is from.
    element.hidden = !mono && style.recipe !== NO_RECIPE
    const cuts = monoCuts(style, cube)
    fields.hidden = !mono
    shared.element.hidden = !mono || cube.channels.length < 2
    shared.set(style.shared)
    setField(method, mono ? style.method : mixMethod(style.mix))
    // Between asking for a channel's cuts and having them, the old ones stay.
    if (!cuts) return
    setField(low, formatNumber(cuts[0]))
    setField(high, formatNumber(cuts[1]))
  }
  const unit = h('span', { class: 'vd-unit', title: cube.unit }, formatUnit(cube.unit))
  const reset = iconButton('reset', 'Reset the cuts', () => cutting.reset(), 'cut-reset')
  const element = section('Cuts', [unit, reset], methodField, fields, shared.element)
  store.subscribe(render)
  render()
  return { element }
}
