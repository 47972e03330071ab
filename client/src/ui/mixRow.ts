// One channel of a colour composite.

import type { Cube } from '../api/wire'
import { formatNumber } from '../core/format'
import { areCuts, mixCuts } from '../style/cuts'
import type { MixEntry } from '../style/style'
import { iconButton, numberField, readField } from './controls'
import { h, setField } from './dom'

export interface MixRow {
  readonly element: HTMLElement
  show(entry: MixEntry): void
}

export function mixRow(
  cube: Cube,
  first: MixEntry,
  taken: () => ReadonlySet<number>,
  changed: (entry: MixEntry, urgent: boolean) => void,
  removed: () => void,
): MixRow {
  let entry = first
  const name = (): string => `channel ${entry.channel}`
  const color = h('input', {
    type: 'color',
    class: 'vd-swatch',
    'aria-label': `Colour of ${name()}`,
    title: 'Colour',
    oninput: () => changed({ ...entry, color: color.value }, false),
    onchange: () => changed({ ...entry, color: color.value }, true),
  })
  const channel = h(
    'select',
    {
      'aria-label': 'Channel',
      onchange: () => {
        const wanted = Number(channel.value)
        // The server takes a channel once.
        if (taken().has(wanted)) channel.value = String(entry.channel)
        else changed({ ...entry, channel: wanted, cuts: null }, true)
      },
    },
    ...cube.channels.map((one) =>
      h('option', { value: one.index }, one.label ? `${one.index} · ${one.label}` : String(one.index)),
    ),
  )
  const typed = (): void => {
    const exact = mixCuts(entry, cube)
    const cuts = [readField(low, exact[0]), readField(high, exact[1])] as const
    if (areCuts(...cuts)) changed({ ...entry, cuts }, true)
  }
  const low = numberField(undefined, 'Low cut', typed)
  const high = numberField(undefined, 'High cut', typed)
  const remove = iconButton('close', `Remove ${name()}`, removed)
  const element = h(
    'li',
    { class: 'vd-mix-row' },
    color,
    channel,
    remove,
    h('div', { class: 'vd-pair' }, low, high),
  )
  return {
    element,
    show(next) {
      entry = next
      const cuts = mixCuts(entry, cube)
      setField(color, entry.color)
      setField(channel, String(entry.channel))
      setField(low, formatNumber(cuts[0]))
      setField(high, formatNumber(cuts[1]))
      color.setAttribute('aria-label', `Colour of ${name()}`)
      remove.setAttribute('aria-label', `Remove ${name()}`)
      const busy = taken()
      for (const option of channel.options) {
        const index = Number(option.value)
        option.disabled = index !== entry.channel && busy.has(index)
      }
    },
  }
}
