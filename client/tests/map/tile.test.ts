// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Rendering } from '../../src/api/urls'
import { type ClientError, fail, ok } from '../../src/core/errors'
import { conditionOf, summarise } from '../../src/map/progress'
import { createTile, type TileSource } from '../../src/map/tile'
import { renderingOf } from '../../src/style/rendering'
import { defaultStyle } from '../../src/style/style'
import { makeCube } from '../cube'

const rendering = (channel: number): Rendering => {
  const cube = makeCube()
  const keys = renderingOf({ ...defaultStyle(cube), channel }, cube)
  if (!keys) throw new Error('no keys')
  return keys
}
const index = { level: 0, row: 0, column: 0 }
const bitmap = { width: 105, height: 33, close: () => {} }

beforeEach(() => vi.stubGlobal('createImageBitmap', async () => bitmap))
afterEach(() => vi.unstubAllGlobals())

/** A source whose answers are given by hand. */
function source() {
  const open: {
    signal: AbortSignal
    onRetry: (error: ClientError) => void
    answer: (result: Awaited<ReturnType<TileSource>>) => void
  }[] = []
  const ask: TileSource = (_index, _rendering, { signal, onRetry }) =>
    new Promise((answer) => open.push({ signal, onRetry, answer }))
  return { open, ask }
}
const picture = (preview = false) => ok({ blob: new Blob(), preview })

it('draws a picture at its own size', async () => {
  const { open, ask } = source()
  const tile = createTile(index, ask, { changed: () => {}, failed: () => {} })
  const loaded = tile.load(rendering(0))
  expect(tile.state).toBe('loading')
  open[0]?.answer(picture())
  await loaded
  const canvas = tile.element.querySelector('canvas')
  expect([tile.state, canvas?.width, canvas?.height]).toEqual(['exact', 105, 33])
})

it('aborts what is superseded and draws the last', async () => {
  const { open, ask } = source()
  const tile = createTile(index, ask, { changed: () => {}, failed: () => {} })
  const loads = [0, 1, 2].map((channel) => tile.load(rendering(channel)))
  expect(open.map(({ signal }) => signal.aborted)).toEqual([true, true, false])
  open[0]?.answer(fail({ kind: 'aborted' }))
  open[1]?.answer(picture())
  open[2]?.answer(picture(true))
  await Promise.all(loads)
  expect(tile.state).toBe('preview')
})

describe('a preview that is asked for again', () => {
  const drawn: unknown[] = []
  /** Pictures that can be told apart. */
  const decode = (size: number) =>
    vi.stubGlobal('createImageBitmap', async () => ({ ...bitmap, width: size }))
  const shown = async () => {
    const { open, ask } = source()
    const states: string[] = []
    const failures: ClientError[] = []
    const tile = createTile(index, ask, {
      changed: () => states.push(tile.state),
      failed: (error) => failures.push(error),
    })
    const canvas = tile.element.querySelector('canvas') as HTMLCanvasElement
    vi.spyOn(canvas, 'getContext').mockReturnValue({
      clearRect: (...all: number[]) => drawn.push(all),
      drawImage: () => drawn.push('picture'),
    } as never)
    decode(100)
    const loaded = tile.load(rendering(0))
    open[0]?.answer(picture(true))
    await loaded
    states.length = 0
    return { open, tile, canvas, states, failures }
  }

  it('stays as it is until the new picture is decoded', async () => {
    const { open, tile, canvas, states } = await shown()
    expect([tile.state, tile.element.dataset.state, canvas.width]).toEqual(['preview', 'preview', 100])
    const refreshed = tile.refresh()
    // While it is asked for, and while the server is too busy.
    open[1]?.onRetry({ kind: 'http', status: 503, message: '' })
    expect([tile.state, states, canvas.width]).toEqual(['preview', [], 100])
    decode(101)
    open[1]?.answer(picture())
    await refreshed
    expect([tile.state, tile.element.dataset.state, states, canvas.width]).toEqual([
      'exact',
      'exact',
      ['exact'],
      101,
    ])
    await tile.refresh()
    expect(open).toHaveLength(2)
  })

  it('may be a preview again, and does not show through that where it is transparent', async () => {
    const { open, tile, states } = await shown()
    drawn.length = 0
    const refreshed = tile.refresh()
    open[1]?.answer(picture(true))
    await refreshed
    expect(drawn).toEqual([[0, 0, 100, bitmap.height], 'picture'])
    expect([tile.state, states]).toEqual(['preview', []])
  })

  it('gives way to another style', async () => {
    const { open, tile, canvas } = await shown()
    const refreshed = tile.refresh()
    const loaded = tile.load(rendering(1))
    expect(open.slice(1).map(({ signal }) => signal.aborted)).toEqual([true, false])
    decode(77)
    open[1]?.answer(picture())
    await refreshed
    expect([tile.state, canvas.width]).toEqual(['loading', 100])
    open[2]?.answer(picture())
    await loaded
    expect([tile.state, canvas.width]).toEqual(['exact', 77])
  })

  it('keeps its picture, and says so, where there is no other to be had', async () => {
    const { open, tile, canvas, failures } = await shown()
    const refreshed = tile.refresh()
    open[1]?.answer(fail({ kind: 'stale', message: '' }))
    await refreshed
    expect([tile.state, canvas.width, failures.map(({ kind }) => kind)]).toEqual(['failed', 100, ['stale']])
  })
})

it('tells how it is doing', async () => {
  const { open, ask } = source()
  const failures: ClientError[] = []
  const tile = createTile(index, ask, { changed: () => {}, failed: (error) => failures.push(error) })
  const loaded = tile.load(rendering(0))
  open[0]?.onRetry({ kind: 'network', message: '' })
  expect(tile.state).toBe('offline')
  open[0]?.onRetry({ kind: 'http', status: 503, message: '' })
  expect(tile.state).toBe('retrying')
  open[0]?.answer(fail({ kind: 'http', status: 404, message: 'gone' }))
  await loaded
  expect([tile.state, failures.length]).toEqual(['failed', 1])
})

it('the badge tells the worst', () => {
  const condition = (...states: Parameters<typeof summarise>[0] & string[]) =>
    conditionOf(summarise(states as never))
  expect(condition()).toBe('idle')
  expect(condition('exact', 'exact')).toBe('idle')
  expect(condition('exact', 'preview')).toBe('preview')
  expect(condition('failed', 'loading')).toBe('loading')
  expect(condition('loading', 'retrying', 'offline')).toBe('offline')
  expect(summarise(['loading', 'retrying', 'exact']).pending).toBe(2)
})
