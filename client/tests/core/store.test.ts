import { expect, it } from 'vitest'
import { createStore } from '../../src/core/store'

it('tells of changes, with what was before, until unsubscribed', () => {
  const store = createStore({ a: 1, b: 2 })
  const heard: [number, number][] = []
  const stop = store.subscribe((now, before) => heard.push([now.a, before.a]))
  store.update({ a: 5 })
  store.set(store.get())
  stop()
  store.update({ a: 6 })
  expect(heard).toEqual([[5, 1]])
  expect(store.get()).toEqual({ a: 6, b: 2 })
})

it('does not tell later listeners of a value that an earlier one replaced', () => {
  const store = createStore({ n: 0 })
  const heard: number[] = []
  store.subscribe(({ n }) => n === 1 && store.update({ n: 2 }))
  store.subscribe(({ n }) => heard.push(n))
  store.update({ n: 1 })
  expect(heard).toEqual([2])
})
