import { expect, it } from 'vitest'
import { skyText } from '../../src/core/skyText'
import { createSkyMap, skyOf, vectorOf } from '../../src/core/wcs'

// Two patches beside each other, linear in x and y around (1, 0, 0), with a mask on the right one; nothing above them.
const linear = (middle: number) => ({
  degree: 1,
  max_err_px: 1e-6,
  x: [1, 0, 0],
  y: [middle, 0, 0.01],
  z: [-0.01, 0.01, 0],
})
const description = {
  frame: 'icrs',
  names: ['RA', 'Dec'],
  width: 200,
  height: 200,
  max_err_px: 1e-6,
  usable: false,
  mask_size: 2,
  patches: [
    { cell: [1, 0, 0], ...linear(-0.01) },
    { cell: [1, 1, 0], ...linear(0.01), mask: '++?.' },
    { cell: [1, 0, 1], usable: false, sky: false },
    { cell: [1, 1, 1], usable: false, sky: true },
  ],
  rotations: {
    turned: [
      [0, 1, 0],
      [1, 0, 0],
      [0, 0, 1],
    ],
  },
}

it('gives the sky of a pixel, or says who knows', () => {
  const map = createSkyMap(description)
  expect(map?.sky(50.5, 50.5)).toEqual(skyOf([1, -0.01, -0.01]))
  expect(map?.sky(150.5, 30.5)).toEqual(skyOf([1, 0.01, -0.014]))
  expect(map?.sky(120.5, 80.5)).toBe('ask')
  expect(map?.sky(180.5, 80.5)).toBeNull()
  expect(map?.sky(50.5, 150.5)).toBeNull()
  expect(map?.sky(150.5, 150.5)).toBe('ask')
  expect(map?.sky(-5, 50)).toBe('ask')
})

it('finds the pixel of a position', () => {
  const map = createSkyMap(description)
  for (const pixel of [
    [50.5, 50.5],
    [3.25, 90],
    [170, 20],
    [100.5, 40],
  ] as const) {
    const sky = map?.sky(pixel[0], pixel[1])
    if (!map || !sky || sky === 'ask') throw new Error('no sky')
    const found = map.pixel(sky.lon, sky.lat)
    if (!found || found === 'ask') throw new Error('not found')
    expect(found.x).toBeCloseTo(pixel[0], 6)
    expect(found.y).toBeCloseTo(pixel[1], 6)
  }
  expect(map?.pixel(180, 0)).toBe('ask')
  const whole = createSkyMap({ ...description, usable: true, patches: description.patches.slice(0, 1) })
  expect(whole?.pixel(180, 0)).toBeNull()
})

it('turns positions into other frames', () => {
  const map = createSkyMap(description)
  expect(map?.frames).toEqual(['turned'])
  expect(map?.turned({ lon: 0, lat: 0 }, 'turned')).toEqual({ lon: 90, lat: 0 })
  expect(map?.turned({ lon: 1, lat: 2 }, 'icrs')).toEqual({ lon: 1, lat: 2 })
  expect(map?.turned({ lon: 1, lat: 2 }, 'fk4')).toBeUndefined()
  const sky = skyOf(vectorOf({ lon: 359.5, lat: -89 }))
  expect(sky.lon).toBeCloseTo(359.5, 10)
  expect(sky.lat).toBeCloseTo(-89, 10)
})

it('takes nothing for what is no description, and asks where a patch is broken', () => {
  for (const wrong of [null, 1, {}, { patches: [] }]) expect(createSkyMap(wrong)).toBeUndefined()
  const broken = { ...description, patches: [{ cell: [0, 0, 0], degree: 3, x: [1], y: [0], z: [0] }] }
  expect(createSkyMap(broken)?.sky(10, 10)).toBe('ask')
})

it('writes positions as the server does', () => {
  expect(skyText({ lon: 83.82208, lat: -5.39111 }, 'icrs')).toEqual(['05h35m17.30s', '-05d23m28.0s'])
  expect(skyText({ lon: 359.999999, lat: 0 }, 'fk5')).toEqual(['00h00m00.00s', '+00d00m00.0s'])
  expect(skyText({ lon: -0.5, lat: 89.99999 }, 'icrs')).toEqual(['23h58m00.00s', '+90d00m00.0s'])
  expect(skyText({ lon: -10, lat: 5.5 }, 'galactic')).toEqual(['350.000000°', '+5.500000°'])
})
