// @vitest-environment happy-dom
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import * as library from '../src/index'

it('has these public names', () => {
  expect(Object.keys(library).sort()).toMatchSnapshot()
})

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

it('keeps Leaflet behind src/map and modules small', () => {
  for (const file of files) {
    const text = readFileSync(join('src', file), 'utf8')
    expect(text.split('\n').length, file).toBeLessThanOrEqual(300)
    if (!file.startsWith('map')) expect(text, file).not.toMatch(/from 'leaflet|import 'leaflet/)
  }
})
