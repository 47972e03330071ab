// What the keys do.

import { type Dialog, dialog } from './dialog'
import { h } from './dom'

const KEYS: readonly [string[], string][] = [
  [['←', '↑', '↓', '→'], 'Move the picture'],
  [['+', '−'], 'Zoom in and out'],
  [['0'], 'Show the whole image'],
  [['[', ']'], 'Previous and next channel'],
  [['Space'], 'Play and pause the channels'],
  [['i'], 'Invert'],
  [['r'], 'Reset the cuts'],
  [['f'], 'Full screen'],
  [['p'], 'Show or hide the panel'],
  [['?'], 'This help'],
]

export function help(): Dialog {
  const rows = KEYS.map(([keys, what]) =>
    h(
      'tr',
      {},
      h('td', {}, ...keys.flatMap((key, i) => [i > 0 ? ' ' : '', h('kbd', {}, key)])),
      h('td', {}, what),
    ),
  )
  const note = h(
    'p',
    { class: 'vd-note' },
    'Drag to move, turn the wheel or pinch to zoom. The address of the page always holds the whole view: copy it to share what you see. ' +
      'Positions are FITS pixels, counted from 1 at the bottom left; channels are counted from 0.',
  )
  return dialog('help', 'Keys', h('table', { class: 'vd-keys' }, h('tbody', {}, ...rows)), note)
}
