// The channels of a colour composite.

import { addChannel, automaticMix } from '../style/mix'
import { NO_RECIPE } from '../style/recipes'
import type { MixEntry } from '../style/style'
import type { Session } from '../viewer/session'
import { iconButton, type Part, section, textButton } from './controls'
import { h } from './dom'
import { type MixRow, mixRow } from './mixRow'
import { recipeField } from './recipeField'

export function mixPanel(session: Session): Part {
  const { store } = session
  const { cube } = store.get()
  const list = h('ul', { class: 'vd-mix', 'aria-label': 'Channels of the composite' })
  let rows: MixRow[] = []

  const current = (): readonly MixEntry[] => store.get().style.mix
  const taken = (): ReadonlySet<number> => new Set(current().map((entry) => entry.channel))
  const replace = (at: number, entry: MixEntry, urgent: boolean): void =>
    session.change({ mix: current().map((one, i) => (i === at ? entry : one)) }, urgent)

  const makeRow = (entry: MixEntry, at: number): MixRow =>
    mixRow(
      cube,
      entry,
      taken,
      (changed, urgent) => replace(at, changed, urgent),
      () => session.change({ mix: current().filter((_, i) => i !== at) }),
    )
  const add = textButton(
    'Add a channel',
    () => {
      session.change({ mix: addChannel(current(), cube, store.get().style.channel) })
    },
    'mix-add',
  )
  const reset = iconButton(
    'reset',
    'Automatic channels and colours',
    () => session.change({ mix: automaticMix(cube), recipe: NO_RECIPE, recipeCuts: [] }),
    'mix-reset',
  )
  const element = section('Composite', [reset], recipeField(session).element, list, add)

  const render = (): void => {
    const { style } = store.get()
    element.hidden = style.mode !== 'color'
    list.hidden = style.recipe !== NO_RECIPE
    add.hidden = list.hidden
    // Rows are bound to their place: a new number of rows means new rows, anything else is shown in them.
    if (rows.length !== style.mix.length) {
      rows = style.mix.map(makeRow)
      list.replaceChildren(...rows.map((row) => row.element))
    }
    style.mix.forEach((entry, i) => {
      rows[i]?.show(entry)
    })
    add.disabled = style.mix.length >= cube.channels.length
  }
  store.subscribe(render)
  render()
  return { element }
}
