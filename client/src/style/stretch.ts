// Stretches as the server writes them: a name, and for some a number behind a colon.

export interface StretchKind {
  readonly name: string
  readonly label: string
  /** The number that it takes: what it is called, where it starts, and how far it goes on the server. */
  readonly number?: {
    readonly label: string
    readonly usual: number
    readonly range: readonly [number, number]
  }
  /** For single planes only. */
  readonly mono?: true
}

export const LINEAR = 'linear'

export const STRETCHES: readonly StretchKind[] = [
  { name: LINEAR, label: 'Linear' },
  { name: 'sqrt', label: 'Square root' },
  { name: 'square', label: 'Square' },
  { name: 'log', label: 'Logarithm', number: { label: 'Strength', usual: 1000, range: [0.01, 1e9] } },
  { name: 'asinh', label: 'Asinh', number: { label: 'Strength', usual: 10, range: [0.01, 1e9] } },
  { name: 'power', label: 'Power', number: { label: 'Exponent', usual: 2, range: [0.4, 10] } },
  { name: 'histogram', label: 'Histogram equalisation', mono: true },
]

export interface Stretch {
  readonly kind: StretchKind
  readonly value: number | undefined
}

/** Null for what is none. */
export function parseStretch(text: string): Stretch | null {
  const [name, number, ...rest] = text.split(':')
  const kind = STRETCHES.find((one) => one.name === name)
  if (!kind || rest.length > 0) return null
  if (!kind.number) return number === undefined ? { kind, value: undefined } : null
  const value = number === undefined ? kind.number.usual : number === '' ? Number.NaN : Number(number)
  const [least, most] = kind.number.range
  return value >= least && value <= most ? { kind, value } : null
}

export const formatStretch = (kind: StretchKind, value?: number): string =>
  kind.number ? `${kind.name}:${value ?? kind.number.usual}` : kind.name

/**
 * The gamma that goes with another stretch: a curve of its own is not bent a second time, unless somebody has
 * chosen a gamma.
 */
export function gammaFor(stretch: string, before: { stretch: string; gamma: number }, usual: number): number {
  if (before.stretch === LINEAR && stretch !== LINEAR && before.gamma === usual) return 1
  if (before.stretch !== LINEAR && stretch === LINEAR && before.gamma === 1) return usual
  return before.gamma
}
