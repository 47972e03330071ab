import { describe, expect, it } from 'vitest'
import { readJson, readTile, request, sleep, type Transport } from '../../src/api/http'
import { parseCubes } from '../../src/api/wire'
import { ok } from '../../src/core/errors'

type Answer = Response | Error | 'never'

/** Answers in turn; `never` hangs until it is aborted, as a slow server does. */
function transport(answers: Answer[]): Transport & { waits: number[]; calls: number } {
  const fake = {
    waits: [] as number[],
    calls: 0,
    random: () => 1,
    sleep: async (seconds: number) => {
      fake.waits.push(seconds)
    },
    fetch: (_: unknown, init?: RequestInit) => {
      const answer = answers[fake.calls] ?? new Error('nothing left')
      fake.calls += 1
      if (answer instanceof Response) return Promise.resolve(answer)
      if (answer instanceof Error) return Promise.reject(answer)
      return new Promise<Response>((_resolve, reject) =>
        init?.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))),
      )
    },
  }
  return fake
}

const text = async (response: Response) => ok(await response.text())
const error = (status: number, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ detail: [{ loc: [], msg: `said ${status}` }] }), { status, headers })
const signal = () => new AbortController().signal

describe('request', () => {
  it('tries again after network errors, 429 and 5xx, waiting longer each time', async () => {
    const net = transport([new TypeError('down'), error(503), error(429), new Response('fine')])
    const heard: string[] = []
    const result = await request(net, '/', text, { signal: signal(), onRetry: (e) => heard.push(e.kind) })
    expect(result).toEqual({ ok: true, value: 'fine' })
    expect(net.waits).toEqual([0.25, 0.5, 1])
    expect(heard).toEqual(['network', 'http', 'http'])
  })

  it('honours Retry-After', async () => {
    const net = transport([error(503, { 'Retry-After': '4' }), new Response('fine')])
    await request(net, '/', text, { signal: signal() })
    expect(net.waits).toEqual([4])
  })

  it('takes another 4xx for an answer', async () => {
    for (const status of [400, 404, 422]) {
      const net = transport([error(status)])
      const result = await request(net, '/', text, { signal: signal() })
      expect(result).toEqual({ ok: false, error: { kind: 'http', status, message: `said ${status}` } })
      expect(net.calls).toBe(1)
    }
  })

  it('knows that the file changed', async () => {
    const result = await request(transport([error(409)]), '/', text, { signal: signal() })
    expect(result).toEqual({ ok: false, error: { kind: 'stale', message: 'said 409' } })
  })

  it('gives up after its retries', async () => {
    const net = transport([error(500), error(500), error(500)])
    const result = await request(net, '/', text, { signal: signal(), retries: 2 })
    expect(result.ok).toBe(false)
    expect(net.calls).toBe(3)
  })

  it('waits as long as the server says how far it is, and does not take that for failures', async () => {
    const unpacking = (progress: number) =>
      new Response(JSON.stringify({ detail: [{ msg: `${progress} done`, progress }] }), {
        status: 503,
        headers: { 'Retry-After': '1' },
      })
    const heard: unknown[] = []
    const steps = [0, 0.2, 0.4, 0.6, 0.8, 1]
    const net = transport([...steps.map(unpacking), error(500), unpacking(1), error(500), new Response('no')])
    const options = { signal: signal(), retries: 1, onRetry: (e: unknown) => heard.push(e) }
    const result = await request(net, '/', text, options)
    expect(result).toEqual({ ok: false, error: { kind: 'http', status: 500, message: 'said 500' } })
    expect(net.waits).toEqual([...steps.map(() => 1), 0.25, 1])
    expect(heard[1]).toEqual({ kind: 'http', status: 503, message: '0.2 done', retryAfter: 1, progress: 0.2 })
  })

  it('is aborted while it waits for the server', async () => {
    const controller = new AbortController()
    const net = transport(['never'])
    const pending = request(net, '/', text, { signal: controller.signal })
    controller.abort()
    expect(await pending).toEqual({ ok: false, error: { kind: 'aborted' } })
    expect(net.calls).toBe(1)
  })

  it('is aborted between two tries', async () => {
    const controller = new AbortController()
    const net = transport([error(503), new Response('late')])
    net.sleep = async () => controller.abort()
    expect(await request(net, '/', text, { signal: controller.signal })).toEqual({
      ok: false,
      error: { kind: 'aborted' },
    })
    expect(net.calls).toBe(1)
  })

  it('does not start when it is aborted already', async () => {
    const controller = new AbortController()
    controller.abort()
    const net = transport([])
    expect((await request(net, '/', text, { signal: controller.signal })).ok).toBe(false)
    expect(net.calls).toBe(0)
  })
})

describe('readers', () => {
  it('refuse what is not JSON or not the promised kind', async () => {
    const read = readJson(parseCubes)
    expect((await read(new Response('<html>'))).ok).toBe(false)
    expect((await read(new Response('{}'))).ok).toBe(false)
    expect((await read(new Response('{"cubes": []}'))).ok).toBe(true)
  })

  it('know previews', async () => {
    const preview = await readTile(new Response('x', { headers: { 'X-Visiomatic-Quality': 'preview' } }))
    const exact = await readTile(new Response('x'))
    expect(preview.ok && preview.value.preview).toBe(true)
    expect(exact.ok && exact.value.preview).toBe(false)
  })
})

it('sleep ends early when aborted', async () => {
  const controller = new AbortController()
  const slept = sleep(1000, controller.signal)
  controller.abort()
  await slept
})
