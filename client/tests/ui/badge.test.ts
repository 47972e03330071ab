// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { summarise, type TileState } from '../../src/map/progress'
import { badge } from '../../src/ui/badge'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const progress = (...states: TileState[]) => summarise(states)

it('is silent about quick loads, and speaks of long ones however often it hears of them', () => {
  const { element, show } = badge()
  show(progress('loading'))
  vi.advanceTimersByTime(100)
  show(progress('exact'))
  vi.advanceTimersByTime(1000)
  expect(element.textContent).toBe('')
  for (let i = 0; i < 10; i += 1) {
    show(progress('loading', 'exact'))
    vi.advanceTimersByTime(50)
  }
  expect(element.textContent).toContain('Loading')
})

it('says what becomes of the file until all tiles are well again', () => {
  const { element, show, hold } = badge()
  hold('gone')
  show(progress('failed', 'exact'))
  expect(element.dataset.state).toBe('gone')
  expect(element.textContent).toBe('No longer on the server')
  show(progress('loading', 'exact'))
  expect(element.dataset.state).toBe('gone')
  show(progress('exact', 'exact'))
  expect(element.dataset.state).toBe('idle')
})

it('tells at once when something is wrong', () => {
  const { element, show } = badge()
  show(progress('retrying', 'exact'))
  expect(element.dataset.state).toBe('retrying')
  show(progress('exact', 'exact'))
  expect(element.dataset.state).toBe('idle')
  expect(element.textContent).toBe('')
})
