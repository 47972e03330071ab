// Which channel; how to run through them.

import { clampChannel } from '../style/style'
import type { Player } from '../viewer/player'
import type { Session } from '../viewer/session'
import { iconButton, type Part } from './controls'
import { h } from './dom'
import { icon } from './icons'
import { slider } from './slider'

const RATES = [1, 2, 5, 10, 20]

export interface ChannelPanel extends Part {
  playing(on: boolean): void
}

/** One channel on or back, around the ends. */
export function stepChannel(session: Session, by: number): void {
  const { cube, style } = session.store.get()
  // A composite has no channel to step from.
  if (style.mode !== 'mono') return
  const count = cube.channels.length
  session.change({ channel: (style.channel + by + count) % count })
}

export function channelPanel(session: Session, player: Player): ChannelPanel {
  const { cube } = session.store.get()
  const last = cube.channels.length - 1
  const control = slider({
    id: 'channel-slider',
    label: 'Channel',
    min: 0,
    max: last,
    step: 1,
    changed: (value, urgent) => session.change({ channel: clampChannel(cube, value) }, urgent),
  })
  const label = h('output', { class: 'vd-channel-label', id: 'channel-label', for: 'channel-slider' })
  const play = iconButton('play', 'Play', () => player.toggle(), 'play')
  const rate = h(
    'select',
    {
      id: 'play-rate',
      'aria-label': 'Frames per second',
      onchange: () => player.setRate(Number(rate.value)),
    },
    ...RATES.map((one) => h('option', { value: one, selected: one === 5 }, `${one} / s`)),
  )
  const transport = h(
    'div',
    { class: 'vd-row' },
    iconButton('previous', 'Previous channel', () => stepChannel(session, -1), 'channel-previous'),
    play,
    iconButton('next', 'Next channel', () => stepChannel(session, 1), 'channel-next'),
    rate,
    label,
  )
  const element = h(
    'section',
    { class: 'vd-section vd-channel', 'aria-label': 'Channel' },
    control.element,
    transport,
  )
  const render = (): void => {
    const { style } = session.store.get()
    const text = cube.channels[style.channel]?.label ?? ''
    control.set(style.channel)
    control.describe(`${style.channel}: ${text}`)
    label.value = text
    element.hidden = cube.channels.length < 2 || style.mode !== 'mono'
  }
  session.store.subscribe(render)
  render()
  return {
    element,
    playing: (on) => {
      play.replaceChildren(icon(on ? 'pause' : 'play'))
      play.setAttribute('aria-label', on ? 'Pause' : 'Play')
      play.title = on ? 'Pause' : 'Play'
    },
  }
}
