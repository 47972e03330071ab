import { describe, expect, it } from 'vitest'
import { areCuts, monoCuts, withDefaultCuts, withManualCuts, withShared } from '../../src/style/cuts'
import { addChannel, automaticMix, startsRed, weightsOf } from '../../src/style/mix'
import { renderingOf } from '../../src/style/rendering'
import { defaultStyle, fitStyle } from '../../src/style/style'
import { makeCube } from '../cube'

const cube = makeCube()
const labels = (...texts: string[]) => texts.map((label, index) => ({ index, label }))
const spectral = (ctype: string) => [{ name: 'frequency', kind: 'spectral', ctype, unit: 'Hz', size: 3 }]

describe('defaults', () => {
  it('are the server’s', () => {
    const style = defaultStyle(makeCube({ defaults: { ...cube.defaults, gamma: 1, colormap: 'jet' } }))
    expect([style.gamma, style.colormap, style.mode, style.channel]).toEqual([1, 'jet', 'mono', 0])
  })

  it('share cuts along a spectral axis only', () => {
    expect(defaultStyle(cube).shared).toBe(true)
    expect(defaultStyle(makeCube({ axes: cube.axes.slice(1) })).shared).toBe(false)
    expect(defaultStyle(makeCube({ channels: labels('one') })).shared).toBe(false)
  })

  it('are made to fit another cube', () => {
    const style = fitStyle(
      { ...defaultStyle(cube), channel: 99, mix: [{ channel: 99, color: '#fff', cuts: null }] },
      cube,
    )
    expect([style.channel, style.mix.length]).toEqual([3, 0])
    expect(fitStyle({ ...style, channel: Number.NaN }, cube).channel).toBe(0)
  })
})

describe('cuts', () => {
  const style = defaultStyle(cube)
  it('are the cube’s when shared, else the channel’s', () => {
    expect(monoCuts(style, cube)).toEqual([0, 9])
    expect(monoCuts({ ...style, shared: false, channel: 2 }, cube)).toEqual([0, 3])
  })

  it('are unknown until the server has found them', () => {
    const asked = { ...style, shared: false, method: 'zscale' as const }
    expect(monoCuts(asked, cube)).toBeNull()
    expect(renderingOf(asked, cube)).toBeNull()
    expect(monoCuts({ ...asked, own: { 0: [5, 6] } }, cube)).toEqual([5, 6])
  })

  it('are typed for one or for all', () => {
    const all = withManualCuts(style, [1, 2])
    expect(monoCuts({ ...all, channel: 3 }, cube)).toEqual([1, 2])
    const one = withManualCuts({ ...style, shared: false }, [1, 2])
    expect(monoCuts(one, cube)).toEqual([1, 2])
    expect(monoCuts({ ...one, channel: 3 }, cube)).toEqual([0, 4])
    expect(withDefaultCuts(all)).toEqual(style)
  })

  it('do not jump when sharing is switched', () => {
    const typed = withManualCuts(style, [1, 2])
    expect(monoCuts(withShared(typed, cube, false), cube)).toEqual([1, 2])
    expect(monoCuts(withShared(withShared(typed, cube, false), cube, true), cube)).toEqual([1, 2])
    expect(monoCuts(withShared({ ...style, shared: false }, cube, true), cube)).toEqual([0, 9])
  })

  it('are two different numbers', () => {
    expect([areCuts(0, 1), areCuts(1, 0), areCuts(1, 1), areCuts(Number.NaN, 1)]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})

describe('mix', () => {
  it('spreads up to three channels, the bluest in blue', () => {
    const long = makeCube({ channels: labels(...Array.from({ length: 53 }, (_, i) => `${i} km/s`)) })
    expect(automaticMix(long).map(({ channel, color }) => [channel, color])).toEqual([
      [8, '#0000ff'],
      [26, '#00ff00'],
      [44, '#ff0000'],
    ])
    expect(automaticMix(makeCube({ channels: labels('a', 'b') })).map((one) => one.channel)).toEqual([0, 1])
    expect(automaticMix(makeCube({ channels: labels('a') }))).toHaveLength(1)
  })

  it('knows which end is red', () => {
    const up = labels('1', '2', '3')
    const down = labels('3', '2', '1')
    const red = (ctype: string, channels: typeof up) =>
      startsRed(makeCube({ axes: spectral(ctype), channels }))
    expect([
      red('VOPT', up),
      red('VRAD', down),
      red('FREQ', up),
      red('FREQ-LSR', down),
      red('WAVE', up),
    ]).toEqual([false, true, true, false, false])
    expect(startsRed(makeCube({ axes: [], channels: labels('r', 'g') }))).toBe(false)
  })

  it('adds what is not there yet', () => {
    const mix = automaticMix(cube)
    const more = addChannel(mix, cube, 0)
    expect(new Set(more.map((one) => one.channel)).size).toBe(4)
    expect(new Set(more.map((one) => one.color)).size).toBe(4)
    expect(addChannel(more, cube, 0)).toEqual(more)
  })

  it('weighs in linear light', () => {
    expect(weightsOf('#ff0000')).toEqual([1, 0, 0])
    expect(weightsOf('#00ff80')).toEqual([0, 1, 0.2195])
  })

  it('is drawn with the cuts of its channels; an empty one as a single channel', () => {
    const style = { ...defaultStyle(cube), mode: 'color' as const }
    expect(renderingOf(style, cube)?.mix?.map((one) => one.cuts)).toEqual(
      style.mix.map((one) => cube.cuts[one.channel]),
    )
    expect(renderingOf({ ...style, mix: [] }, cube)?.channel).toBe(0)
  })
})

it('a layer is named only where there are several', () => {
  expect(renderingOf(defaultStyle(cube), cube)?.layer).toBeUndefined()
  const many = makeCube({ layers: ['PRIMARY', 'ERR'], layer: 'ERR' })
  expect(renderingOf(defaultStyle(many), many)?.layer).toBe('ERR')
})
