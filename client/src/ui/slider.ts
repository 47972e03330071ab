// A slider with its number beside it. It acts while it is dragged (not urgent) and when it is let go (urgent).

import { numberField, type Part } from './controls'
import { h, setField } from './dom'

export interface SliderOptions {
  readonly id: string
  readonly label: string
  readonly min: number
  readonly max: number
  readonly step: number
  /** The number may go further than the slider. */
  readonly limits?: readonly [number, number]
  readonly changed: (value: number, urgent: boolean) => void
}

export interface Slider extends Part {
  readonly input: HTMLInputElement
  set(value: number): void
  /** Read out in place of the number. */
  describe(text: string): void
}

export function slider(options: SliderOptions): Slider {
  const { id, label, min, max, step, changed } = options
  const [least, most] = options.limits ?? [min, max]
  const fill = (): void => {
    const share = (input.valueAsNumber - min) / (max - min || 1)
    input.style.setProperty('--fill', `${Math.round(share * 1000) / 10}%`)
  }
  const input = h('input', {
    type: 'range',
    id,
    min,
    max,
    step,
    oninput: () => {
      fill()
      changed(input.valueAsNumber, false)
    },
    onchange: () => changed(input.valueAsNumber, true),
  })
  const number = numberField(`${id}-value`, `${label}, as a number`, (value) =>
    changed(Math.min(most, Math.max(least, value)), true),
  )
  number.min = String(least)
  number.max = String(most)
  number.step = String(step)
  const head = h('div', { class: 'vd-slider-head' }, h('label', { for: id }, label), number)
  return {
    element: h('div', { class: 'vd-slider' }, head, input),
    input,
    set: (value) => {
      setField(input, String(value))
      setField(number, String(value))
      fill()
    },
    describe: (text) => input.setAttribute('aria-valuetext', text),
  }
}
