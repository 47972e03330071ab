import { describe, expect, it } from 'vitest'
import { formatStretch, gammaFor, parseStretch, STRETCHES } from '../../src/style/stretch'

describe('stretches', () => {
  it('are read as they are written', () => {
    for (const kind of STRETCHES) {
      expect(parseStretch(formatStretch(kind))).toEqual({ kind, value: kind.number?.usual })
      expect(parseStretch(kind.name)?.kind).toBe(kind)
    }
    expect(parseStretch('log:50')?.value).toBe(50)
  })

  it('go as far as the server does', () => {
    for (const text of ['log:0.01', 'log:1000000000', 'asinh:0.01', 'asinh:1000000', 'power:0.4', 'power:10'])
      expect(parseStretch(text)).not.toBeNull()
    for (const text of ['power:0.3', 'power:11', 'log:0.001', 'asinh:2e9'])
      expect(parseStretch(text)).toBeNull()
  })

  it('are none where they make no sense', () => {
    for (const text of ['', 'logarithm', 'log:', 'log:0', 'log:x', 'log:1:2', 'linear:3', 'power:1e9'])
      expect(parseStretch(text)).toBeNull()
  })

  it('are not bent a second time, unless somebody asked for it', () => {
    const plain = { stretch: 'linear', gamma: 2.2 }
    expect(gammaFor('log:1000', plain, 2.2)).toBe(1)
    expect(gammaFor('log:1000', { ...plain, gamma: 1.5 }, 2.2)).toBe(1.5)
    expect(gammaFor('sqrt', { stretch: 'log:1000', gamma: 2.2 }, 2.2)).toBe(2.2)
    expect(gammaFor('linear', { stretch: 'log:1000', gamma: 1 }, 2.2)).toBe(2.2)
    expect(gammaFor('linear', { stretch: 'log:1000', gamma: 3 }, 2.2)).toBe(3)
  })
})
