// All colormaps to choose from, each as what it looks like. One picture holds every strip.

import { type Dialog, dialog } from './dialog'
import { h } from './dom'

/** Pixels that a strip is high on the screen, however high it is in the picture. */
const SHOWN = 18

export function gallery(names: readonly string[], strips: string, chosen: (name: string) => void): Dialog {
  const list = h('div', { class: 'vd-gallery', role: 'listbox', 'aria-label': 'Colormaps' })
  const find = h('input', {
    type: 'search',
    'aria-label': 'Find a colormap',
    placeholder: 'Find…',
    oninput: () => {
      const wanted = find.value.trim().toLowerCase()
      for (const one of buttons) one.hidden = !(one.dataset.name ?? '').toLowerCase().includes(wanted)
    },
  })
  const buttons = names.map((name, i) => {
    const strip = h('span', { class: 'vd-strip', 'aria-hidden': 'true' })
    strip.style.backgroundImage = `url("${strips}")`
    // The picture is scaled so that each strip is as high as it is shown.
    strip.style.backgroundSize = `100% ${names.length * SHOWN}px`
    strip.style.backgroundPosition = `0 ${-i * SHOWN}px`
    return h(
      'button',
      {
        type: 'button',
        role: 'option',
        'data-name': name,
        onclick: () => {
          chosen(name)
          box.close()
        },
      },
      strip,
      h('span', {}, name),
    )
  })
  list.append(...buttons)
  const box = dialog('gallery', 'Colormaps', find, list)
  return box
}
