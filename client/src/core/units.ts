// Units as FITS writes them, as people write them: `10**(-20) erg s-1 cm-2` is 10⁻²⁰ erg s⁻¹ cm⁻².

const RAISED: Readonly<Record<string, string>> = {
  '-': '⁻',
  '+': '',
  '0': '⁰',
  '1': '¹',
  '2': '²',
  '3': '³',
  '4': '⁴',
  '5': '⁵',
  '6': '⁶',
  '7': '⁷',
  '8': '⁸',
  '9': '⁹',
}

const raise = (exponent: string): string => [...exponent].map((sign) => RAISED[sign] ?? sign).join('')

// No lookbehind in these: Safari before 16.4 does not even parse it.
const FACTOR = /^(\d+(?:\.\d+)?)[Ee]([+-]?\d+)/
const POWER = /(?:\*\*|\^)\s*(?:\(\s*([+-]?\d+)\s*\)|([+-]?\d+))/g
const BARE_POWER = /([A-Za-z])([+-]?\d+)(?![\d.])/g

export function formatUnit(unit: string): string {
  return unit
    .trim()
    .replace(FACTOR, (_all, mantissa: string, exponent: string) =>
      Number(mantissa) === 1 ? `10${raise(exponent)}` : `${mantissa}×10${raise(exponent)}`,
    )
    .replace(POWER, (_all, bracketed?: string, plain?: string) => raise(bracketed ?? plain ?? ''))
    .replace(BARE_POWER, (_all, letter: string, exponent: string) => letter + raise(exponent))
    .replace(/\bangstroms?/gi, 'Å')
    .replace(/\s*\*\s*/g, ' ')
}
