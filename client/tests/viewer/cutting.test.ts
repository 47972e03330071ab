import { expect, it } from 'vitest'
import { createClient } from '../../src/api/client'
import { monoCuts } from '../../src/style/cuts'
import { defaultStyle, type Style } from '../../src/style/style'
import { createCutting } from '../../src/viewer/cutting'
import { createSession } from '../../src/viewer/session'
import { makeCube } from '../cube'

const cube = makeCube()

function setUp(style: Partial<Style> = {}, status = 200) {
  const asked: string[] = []
  const said: string[] = []
  const client = createClient('http://host/', {
    random: () => 0,
    sleep: async () => {},
    fetch: async (input) => {
      const url = new URL(String(input))
      asked.push(url.search)
      const channel = Number(url.searchParams.get('channel'))
      return new Response(JSON.stringify({ cuts: [channel, channel + 10], detail: [{ msg: 'no' }] }), {
        status,
      })
    },
  })
  const session = createSession(client, cube, { ...defaultStyle(cube), ...style }, (message) =>
    said.push(message),
  )
  const cutting = createCutting(session)
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5))
  const cuts = () => monoCuts(session.store.get().style, cube)
  return { asked, said, session, cutting, settle, cuts }
}

it('pins shared cuts to those of the shown channel', async () => {
  const { cutting, session, cuts } = setUp({ channel: 2 })
  await cutting.choose('99.5')
  expect(cuts()).toEqual([2, 12])
  session.change({ channel: 0 })
  expect(cuts()).toEqual([2, 12])
  cutting.reset()
  expect(cuts()).toEqual([0, 9])
})

it('asks for each channel’s own when they are not shared, once', async () => {
  const { cutting, session, settle, cuts, asked } = setUp({ shared: false })
  await cutting.choose('zscale')
  await settle()
  expect(cuts()).toEqual([0, 10])
  session.change({ channel: 3 })
  await settle()
  expect(cuts()).toEqual([3, 13])
  session.change({ channel: 0 })
  await settle()
  expect(cuts()).toEqual([0, 10])
  expect(asked).toEqual(['?channel=0&method=zscale', '?channel=3&method=zscale'])
  expect(cutting.busy).toBe(false)
})

it('only the last of several channels matters', async () => {
  const { cutting, session, settle, cuts } = setUp({ shared: false })
  await cutting.choose('zscale')
  for (const channel of [1, 2, 3]) session.change({ channel })
  await settle()
  expect(Object.keys(session.store.get().style.own)).toEqual(['3'])
  expect(cuts()).toEqual([3, 13])
})

it('cuts every channel of a composite', async () => {
  const { cutting, session } = setUp({ mode: 'color' })
  await cutting.choose('95')
  const { mix } = session.store.get().style
  expect(mix.map((entry) => entry.cuts)).toEqual(mix.map(({ channel }) => [channel, channel + 10]))
})

it('falls back to the default cuts, and says so', async () => {
  const { cutting, settle, cuts, said } = setUp({ shared: false }, 404)
  await cutting.choose('zscale')
  await settle()
  expect(cuts()).toEqual([0, 1])
  expect(said).toHaveLength(1)
})
