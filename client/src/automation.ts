// `window.visiomatic`: what a script or a test may know and do.

import type { App } from './app'
import type { Placement, Point } from './core/geometry'
import type { View } from './viewer/viewer'

export interface Automation {
  /** Every tile on the screen is what it should be, and nothing is asked or moving. */
  readonly ready: boolean
  view(): View | null
  setView(placement: Placement): void
  /** CSS pixels in the page of a raster position of level 0. */
  containerPoint(x: number, y: number): Point | null
}

declare global {
  interface Window {
    visiomatic?: Automation
  }
}

export function automate(app: App): Automation {
  return {
    get ready() {
      return app.viewer?.ready ?? false
    },
    view: () => app.viewer?.view() ?? null,
    setView: (placement) => app.viewer?.setView(placement),
    containerPoint: (x, y) => app.viewer?.containerPoint(x, y) ?? null,
  }
}
