import { expect, it } from 'vitest'
import { parseEvent } from '../../src/api/events'

const names = { cube: 'a.fits', layer: 'SCI', v: 'f00d' }
const parse = (json: unknown) => parseEvent(JSON.stringify(json))

it('reads what the server says', () => {
  expect(parse({ id: 1, type: 'hello', boot: 'b007', builds: true, ...names })).toEqual({
    id: 1,
    watched: names,
    type: 'hello',
    boot: 'b007',
    builds: true,
  })
  const region = { level: 3, planes: [0, 2], box: [0, 256, 512, 700] }
  expect(parse({ id: 2, type: 'exact', ...region, ...names })).toEqual({
    id: 2,
    watched: names,
    type: 'exact',
    region,
  })
  const progress = { done: 1, total: 4, rate: null, left: 2.5 }
  expect(parse({ id: 3, type: 'building', ...progress, ...names })).toEqual({
    id: 3,
    watched: names,
    type: 'building',
    progress,
  })
  expect(parse({ id: 4, type: 'failed', msg: 'no space', ...names })).toMatchObject({ message: 'no space' })
})

it('takes nothing else', () => {
  for (const message of [
    '',
    'nonsense',
    'null',
    '[]',
    '5',
    undefined,
    new ArrayBuffer(4),
    JSON.stringify({ type: 'hello', boot: 'b007' }),
    JSON.stringify({ id: 'x', type: 'built' }),
    JSON.stringify({ id: 1, type: 'of another time' }),
    JSON.stringify({ id: 1, type: 'exact', level: 1, planes: [0], box: [0, 0, 1, 1] }),
    JSON.stringify({ id: 1, type: 'exact', level: 1, planes: [0, 1], box: [0, 0, 1, null] }),
    JSON.stringify({ id: 1, type: 'building', done: 1 }),
  ])
    expect(parseEvent(message)).toBeNull()
})
