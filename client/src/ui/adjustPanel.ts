// Contrast, brightness, gamma, stretch, saturation, and how tiles are packed.

import { LINEAR } from '../style/stretch'
import { type Adjustment, isComposite } from '../style/style'
import type { Session } from '../viewer/session'
import { iconButton, type Part, section, toggle } from './controls'
import { h, setField } from './dom'
import { type SliderOptions, slider } from './slider'
import { stretchField } from './stretchField'

type Key = Exclude<keyof Adjustment, 'invert'>

const SLIDERS: readonly (Omit<SliderOptions, 'changed'> & { id: Key })[] = [
  { id: 'contrast', label: 'Contrast', min: 0, max: 5, step: 0.05, limits: [0, 1000] },
  { id: 'brightness', label: 'Brightness', min: -100, max: 100, step: 1 },
  { id: 'gamma', label: 'Gamma', min: 0.2, max: 5, step: 0.05 },
  { id: 'saturation', label: 'Saturation', min: 0, max: 3, step: 0.05, limits: [0, 5] },
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
    'Reset the adjustments',
    () => {
      const { contrast, brightness, gamma } = cube.defaults
      session.change({ contrast, brightness, gamma, saturation: 1, stretch: LINEAR, hue: false })
    },
    'adjust-reset',
  )
  const stretch = stretchField(session)
  const hue = toggle('keep-hue', 'Keep hues while stretching', (on) => session.change({ hue: on }))
  const render = (): void => {
    const { style } = store.get()
    for (const { key, control } of sliders) {
      control.set(style[key])
      control.element.hidden = key === 'saturation' && !isComposite(style)
    }
    hue.set(style.hue)
    hue.element.hidden = !isComposite(style)
    setField(quality, style.lossless ? LOSSLESS : String(style.quality))
  }
  store.subscribe(render)
  render()
  const tiles = h('label', { class: 'vd-field' }, h('span', {}, 'Tiles'), quality)
  return {
    element: section(
      'Adjust',
      [reset],
      stretch.element,
      hue.element,
      ...sliders.map(({ control }) => control.element),
      tiles,
    ),
  }
}
