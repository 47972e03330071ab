// @vitest-environment happy-dom
import { expect, it, vi } from 'vitest'
import { createClient } from '../src/api/client'
import { createApp } from '../src/app'

it('shows how far the unpacking of a cube is, and then why it could not be opened', async () => {
  location.hash = ''
  history.replaceState(null, '', '/?image=a.fits.gz')
  const unpacking = (done: number) => ({
    detail: [{ msg: `a.fits.gz is being unpacked: ${done} % done`, progress: done / 100 }],
  })
  const answers: [number, unknown][] = [
    [503, unpacking(34)],
    [503, unpacking(68)],
    [404, { detail: [{ msg: 'a.fits.gz is damaged' }] }],
  ]
  const root = document.createElement('div')
  document.body.append(root)
  const shown: (string | null | undefined)[] = []
  createApp(
    root,
    createClient('http://host/', {
      random: () => 0,
      sleep: async () => {
        shown.push(root.querySelector('#messages')?.textContent)
      },
      fetch: async (input) => {
        const isCube = String(input).includes('/cubes/')
        const others = { colormaps: [], path: '', entries: [], total: 0, offset: 0, next: null }
        const [status, body] = isCube ? (answers.shift() ?? [500, {}]) : [200, others]
        return new Response(JSON.stringify(body), { status })
      },
    }),
  )
  const said = () => root.querySelector('#messages')?.textContent
  await vi.waitFor(() => expect(said()).toBe('a.fits.gz: Not found: a.fits.gz is damaged'))
  expect(shown).toEqual([
    'a.fits.gz is being unpacked: 34 % done…',
    'a.fits.gz is being unpacked: 68 % done…',
  ])
})
