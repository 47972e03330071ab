// Contrast, brightness, gamma, and how tiles are packed.

import type { Adjustment } from '../style/style'
import type { Session } from '../viewer/session'
import { iconButton, type Part, section } from './controls'
import { h, setField } from './dom'
import { type SliderOptions, slider } from './slider'

type Key = Exclude<keyof Adjustment, 'invert'>

const SLIDERS: readonly (Omit<SliderOptions, 'changed'> & { id: Key })[] = [
  { id: 'contrast', label: 'Contrast', min: 0, max: 5, step: 0.05, limits: [0, 1000] },
  { id: 'brightness', label: 'Brightness', min: -100, max: 100, step: 1 },
  { id: 'gamma', label: 'Gamma', min: 0.2, max: 5, step: 0.05 },
]

const LOSSLESS = 'png'
const QUALITIES = [50, 75, 90, 95, 100]

export function adjustPanel(session: Session): Part {
  const { store } = session
  const { cube, style: first } = store.get()
  const sliders = SLIDERS.map((one) => ({
    key: one.id,
    control: slider({ ...one, changed: (value, urgent) => session.change({ [one.id]: value }, urgent) }),
  }))
  const qualities = [...new Set([...QUALITIES, first.quality, cube.defaults.quality])].sort((a, b) => a - b)
  const quality = h(
    'select',
    {
      id: 'quality',
      onchange: () =>
        session.change(
          quality.value === LOSSLESS
            ? { lossless: true }
            : { lossless: false, quality: Number(quality.value) },
        ),
    },
    ...qualities.map((one) => h('option', { value: one }, `JPEG ${one}`)),
    h('option', { value: LOSSLESS }, 'Lossless (PNG)'),
  )
  const reset = iconButton(
    'reset',
    'Reset contrast, brightness and gamma',
    () => {
      const { contrast, brightness, gamma } = cube.defaults
      session.change({ contrast, brightness, gamma })
    },
    'adjust-reset',
  )
  const render = (): void => {
    const { style } = store.get()
    for (const { key, control } of sliders) control.set(style[key])
    setField(quality, style.lossless ? LOSSLESS : String(style.quality))
  }
  store.subscribe(render)
  render()
  const tiles = h('label', { class: 'vd-field' }, h('span', {}, 'Tiles'), quality)
  return { element: section('Adjust', [reset], ...sliders.map(({ control }) => control.element), tiles) }
}
