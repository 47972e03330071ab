import { expect, it, describe as suite } from 'vitest'
import { type ClientError, describe, isTransient } from '../../src/core/errors'

const http = (status: number): ClientError => ({ kind: 'http', status, message: 'no' })

suite('errors', () => {
  it('are worth another try when the network, the load or the server is to blame', () => {
    const again = [{ kind: 'network', message: '' } as const, http(429), http(500), http(503)]
    const never = [
      http(400),
      http(404),
      http(422),
      { kind: 'stale', message: '' } as const,
      { kind: 'aborted' } as const,
    ]
    expect(again.map(isTransient)).toEqual([true, true, true, true])
    expect(never.map(isTransient)).toEqual([false, false, false, false, false])
    expect(isTransient({ kind: 'protocol', message: '' })).toBe(false)
  })

  it('are sentences', () => {
    expect(describe(http(404))).toBe('Not found: no')
    expect(describe(http(500))).toBe('no (500)')
    expect(describe({ kind: 'stale', message: '' })).toContain('changed')
    expect(describe({ kind: 'network', message: 'x' })).toContain('(x)')
  })
})
