// @vitest-environment happy-dom
import { expect, it } from 'vitest'
import { groupColormaps } from '../../src/ui/colormapPanel'
import { slider } from '../../src/ui/slider'
import { isTaken } from '../../src/viewer/keyboard'

it('colormaps: the usual ones first, in our order', () => {
  expect(groupColormaps(['zebra', 'hot', 'grey'])).toEqual({ usual: ['grey', 'hot'], others: ['zebra'] })
})

it('a slider acts while dragged and when let go; its number may go further', () => {
  const heard: [number, boolean][] = []
  const { element, input, set } = slider({
    id: 'contrast',
    label: 'Contrast',
    min: 0,
    max: 5,
    step: 0.05,
    limits: [0, 1000],
    changed: (value, urgent) => heard.push([value, urgent]),
  })
  set(1)
  expect(input.value).toBe('1')
  input.value = '2.5'
  input.dispatchEvent(new Event('input'))
  input.dispatchEvent(new Event('change'))
  const number = element.querySelector<HTMLInputElement>('input[type=number]')
  if (!number) throw new Error('no number')
  number.value = '5000'
  number.dispatchEvent(new Event('change'))
  expect(heard).toEqual([
    [2.5, false],
    [2.5, true],
    [1000, true],
  ])
  expect(element.querySelector('label')?.getAttribute('for')).toBe('contrast')
})

it('keys belong to the field that uses them', () => {
  const make = (html: string) => {
    document.body.innerHTML = html
    return document.body.firstElementChild
  }
  expect(isTaken(make('<input type="number">'), 'i')).toBe(true)
  expect(isTaken(make('<select></select>'), 'r')).toBe(true)
  expect(isTaken(make('<input type="range">'), 'ArrowLeft')).toBe(true)
  expect(isTaken(make('<input type="range">'), ']')).toBe(false)
  expect(isTaken(make('<button></button>'), ' ')).toBe(true)
  expect(isTaken(make('<button></button>'), 'i')).toBe(false)
  expect(isTaken(document.body, ' ')).toBe(false)
})
