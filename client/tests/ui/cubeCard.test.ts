// @vitest-environment happy-dom
import { expect, it } from 'vitest'
import { cubeCard } from '../../src/ui/cubeCard'
import { makeCube } from '../cube'

const actions = (chosen: string[]) => ({
  switchCube() {},
  copyLink() {},
  chooseLayer: (layer: string) => void chosen.push(layer),
})

it('layers are chosen by name, the shown one is marked', () => {
  const chosen: string[] = []
  const cube = makeCube({ layers: ['MOSAIC', 'AMP 1', 'AMP 2'], layer: 'AMP 1' })
  const select = cubeCard(cube, actions(chosen)).element.querySelector<HTMLSelectElement>('#layer')
  if (!select) throw new Error('no list of layers')
  expect([...select.options].map((one) => one.value)).toEqual(cube.layers)
  expect(select.value).toBe('AMP 1')
  select.value = 'AMP 2'
  select.dispatchEvent(new Event('change'))
  expect(chosen).toEqual(['AMP 2'])
})

it('with one layer there is nothing to choose', () => {
  expect(cubeCard(makeCube(), actions([])).element.querySelector('#layer')).toBeNull()
})
