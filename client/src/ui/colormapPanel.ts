// Colours of the single channel, and of the whole picture upside down.

import { isComposite } from '../style/style'
import type { Session } from '../viewer/session'
import { type Part, section, textButton, toggle } from './controls'
import { h, setField } from './dom'
import { gallery } from './gallery'

/** What astronomers reach for first, VisiOmatic's own four among them. */
const USUAL = [
  'grey',
  'gray',
  'jet',
  'cold',
  'cool',
  'hot',
  'viridis',
  'inferno',
  'magma',
  'plasma',
  'cubehelix',
  'turbo',
]

/** The usual ones that there are, in our order, and the others in the server's. */
export function groupColormaps(all: readonly string[]): { usual: string[]; others: string[] } {
  return {
    usual: USUAL.filter((name) => all.includes(name)),
    others: all.filter((name) => !USUAL.includes(name)),
  }
}

const options = (names: readonly string[]): HTMLOptionElement[] =>
  names.map((name) => h('option', { value: name }, name))

export function colormapPanel(session: Session, all: readonly string[]): Part {
  const { style } = session.store.get()
  // The one in use is listed even when the list could not be had.
  const { usual, others } = groupColormaps(all.includes(style.colormap) ? all : [style.colormap, ...all])
  const select = h(
    'select',
    { id: 'colormap', onchange: () => session.change({ colormap: select.value }) },
    h('optgroup', { label: 'Usual' }, ...options(usual)),
    ...(others.length > 0 ? [h('optgroup', { label: 'More' }, ...options(others))] : []),
  )
  const maps = gallery(all, session.client.strips(), (colormap) => session.change({ colormap }))
  const browse = textButton('All maps', () => maps.open(), 'colormap-gallery')
  const field = h(
    'div',
    { class: 'vd-field vd-map-field' },
    h('label', { for: 'colormap' }, 'Map'),
    select,
    browse,
    maps.element,
  )
  browse.hidden = all.length === 0
  const invert = toggle('invert', 'Invert', (on) => session.change({ invert: on }))
  const render = (): void => {
    const now = session.store.get().style
    setField(select, now.colormap)
    invert.set(now.invert)
    field.hidden = isComposite(now)
  }
  session.store.subscribe(render)
  render()
  return { element: section('Colour', [], field, invert.element) }
}
