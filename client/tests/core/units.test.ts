import { expect, it } from 'vitest'
import { formatUnit } from '../../src/core/units'

it.each([
  ['10**(-20) erg s-1 cm-2 Angstrom-1', '10⁻²⁰ erg s⁻¹ cm⁻² Å⁻¹'],
  ['1E-20 erg/s/cm**2/Angstrom', '10⁻²⁰ erg/s/cm²/Å'],
  ['2.5e3 Jy', '2.5×10³ Jy'],
  ['Jy/beam', 'Jy/beam'],
  ['K km s^-1', 'K km s⁻¹'],
  ['Jy*km/s', 'Jy km/s'],
  ['W m-2 Hz-1', 'W m⁻² Hz⁻¹'],
  ['', ''],
])('writes %s as %s', (fits, people) => {
  expect(formatUnit(fits)).toBe(people)
})
