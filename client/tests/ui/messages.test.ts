// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { messages } from '../../src/ui/messages'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const lines = (element: HTMLElement) => [...element.children].map((line) => line.textContent)

it('says things for a while, the same thing once', () => {
  const { element, say } = messages()
  say('one')
  say('two')
  say('one')
  expect(lines(element)).toEqual(['one', 'two'])
  vi.advanceTimersByTime(10_000)
  expect(lines(element)).toEqual([])
})

it('keeps one line about what takes its time, until it is over', () => {
  const { element, say, keep } = messages()
  document.body.append(element)
  keep('34 % done')
  say('by the way')
  keep('50 % done')
  vi.advanceTimersByTime(60_000)
  expect(lines(element)).toEqual(['50 % done'])
  keep(null)
  keep(null)
  expect(lines(element)).toEqual([])
  keep('1 % done')
  expect(lines(element)).toEqual(['1 % done'])
})
