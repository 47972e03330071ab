// @vitest-environment happy-dom
import { expect, it } from 'vitest'
import { buildingLine, buildingText } from '../../src/ui/building'

const progress = (done: number) => ({ done, total: 1000, rate: 1.2e9, left: 5.2 })

it('says how far it is, as far as it is known', () => {
  expect(buildingText(progress(349))).toBe('building the pyramid: 34 %, 1.20 GB/s, 6 s left')
  expect(buildingText({ ...progress(1), rate: null })).toBe('building the pyramid: 0 %, 6 s left')
  expect(buildingText({ ...progress(1), rate: 0, left: null })).toBe('building the pyramid: 0 %')
  expect(buildingText({ done: 0, total: 0, rate: null, left: null })).toBe('building the pyramid: 0 %')
  expect(buildingText({ ...progress(2000), left: 0 })).toBe(
    'building the pyramid: 100 %, 1.20 GB/s, 1 s left',
  )
})

it('is there while something is built; only its beginning and its end are read out', () => {
  const line = buildingLine()
  const [text, spoken] = [...line.element.children] as [HTMLElement, HTMLElement]
  expect(text.hidden).toBe(true)
  line.built()
  expect(spoken.textContent).toBe('')
  const said = new Set<string | null>()
  for (const done of [1, 2, 500]) {
    line.show(progress(done))
    said.add(spoken.textContent)
  }
  expect([text.hidden, text.textContent]).toEqual([false, buildingText(progress(500))])
  expect(text.getAttribute('aria-valuenow')).toBe('50')
  expect(text.closest('[aria-live]')).toBeNull()
  expect(spoken.getAttribute('role')).toBe('status')
  line.built()
  said.add(spoken.textContent)
  expect(text.hidden).toBe(true)
  expect([...said]).toEqual(['Building the pyramid.', 'The pyramid is built.'])
})

it('says what went wrong until something is built again, whatever becomes of the connection', () => {
  const line = buildingLine()
  const [text, spoken] = [...line.element.children] as [HTMLElement, HTMLElement]
  line.show(progress(1))
  line.show(null)
  expect(text.hidden).toBe(true)
  line.failed('the store is full')
  line.show(null)
  expect([text.hidden, text.textContent, spoken.textContent]).toEqual([
    false,
    'the store is full',
    'the store is full',
  ])
  expect(text.hasAttribute('role')).toBe(false)
  line.show(progress(2))
  expect([text.textContent, text.getAttribute('role')]).toEqual([buildingText(progress(2)), 'progressbar'])
})
