import { expect, it } from 'vitest'
import type { Cube } from '../../src/api/wire'
import { type ClientError, fail, ok, type Result } from '../../src/core/errors'
import { type RereadHost, reread } from '../../src/viewer/reread'
import { makeCube } from '../cube'

const OLD = makeCube({ fingerprint: 'old' })
const NEW = makeCube({ fingerprint: 'new' })
const missing: ClientError = { kind: 'http', status: 404, message: 'no' }

/** Answers one after the other; the last one for ever. */
function host(answers: Result<Cube>[], wantedFor = 99) {
  const events: string[] = []
  let asked = 0
  const made: RereadHost = {
    describe: async () => answers[Math.min(asked++, answers.length - 1)] as Result<Cube>,
    wanted: () => asked < wantedFor,
    gone: () => events.push('gone'),
    show: (cube) => events.push(`show ${cube.fingerprint}`),
    sleep: async (ms) => {
      events.push(`sleep ${ms}`)
    },
  }
  return { made, events, asked: () => asked }
}

it('shows the new version', async () => {
  const { made, events } = host([ok(NEW)])
  expect(await reread('old', 'changed', made)).toBe(true)
  expect(events).toEqual(['show new'])
})

it('asks again where the old version is told, and gives up in the end', async () => {
  const first = host([ok(OLD), fail({ kind: 'stale', message: '' }), ok(NEW)])
  expect(await reread('old', 'changed', first.made)).toBe(true)
  expect(first.events).toEqual(['sleep 1500', 'sleep 1500', 'show new'])
  const never = host([ok(OLD)])
  expect(await reread('old', 'changed', never.made)).toBe(false)
  expect(never.asked()).toBe(3)
})

it('waits for a file that has gone for as long as somebody looks at it', async () => {
  const back = host([fail(missing), fail(missing), fail(missing), fail(missing), ok(NEW)])
  expect(await reread('old', 'changed', back.made)).toBe(true)
  expect(back.events.filter((one) => one === 'sleep 5000')).toHaveLength(4)
  expect(back.events.at(-1)).toBe('show new')
  const left = host([fail(missing)], 3)
  expect(await reread('old', 'gone', left.made)).toBe(true)
  expect(left.asked()).toBe(3)
})

it('shows a file again that was gone for a moment only', async () => {
  const { made, events } = host([fail(missing), ok(OLD)])
  await reread('old', 'gone', made)
  expect(events).toEqual(['gone', 'sleep 5000', 'show old'])
})

it('says nothing to somebody who has left', async () => {
  const { made, events } = host([ok(NEW)], 1)
  expect(await reread('old', 'changed', made)).toBe(true)
  expect(events).toEqual([])
})
