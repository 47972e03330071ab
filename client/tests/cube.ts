// A cube as the server describes it, for tests to vary.

import type { Cube } from '../src/api/wire'

export function makeCube(change: Partial<Cube> = {}): Cube {
  return {
    name: 'sub/l1448 13co.fits',
    fingerprint: 'f00d',
    layer: 'PRIMARY',
    layers: ['PRIMARY'],
    shape: [4, 105, 105],
    dtype: 'float32',
    unit: 'K',
    object: 'L1448',
    axes: [
      { name: 'velocity', kind: 'spectral', ctype: 'VOPT', unit: 'm / s', size: 4 },
      { name: 'y', kind: 'y', ctype: 'DEC--SFL', unit: 'deg', size: 105 },
      { name: 'x', kind: 'x', ctype: 'RA---SFL', unit: 'deg', size: 105 },
    ],
    width: 105,
    height: 105,
    tile_size: 256,
    levels: [{ level: 0, width: 105, height: 105, columns: 1, rows: 1 }],
    channels: ['2.5 km/s', '2.6 km/s', '2.7 km/s', '2.8 km/s'].map((label, index) => ({ index, label })),
    cuts: [
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],
    ],
    cube_cuts: [0, 9],
    defaults: {
      channel: 0,
      brightness: 0,
      contrast: 1,
      gamma: 2.2,
      colormap: 'grey',
      invert: false,
      quality: 90,
    },
    wcs: { ctype: ['RA---SFL', 'DEC--SFL'], frame: 'fk5', pixel_scale: 0.01 },
    warnings: [],
    ...change,
  }
}
