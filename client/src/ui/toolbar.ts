// Buttons over the picture.

import { iconButton, type Part } from './controls'
import { h } from './dom'

export interface ToolbarActions {
  zoomBy(steps: number): void
  fit(): void
  fullscreen(): void
}

export function toolbar(actions: ToolbarActions): Part {
  const canFullscreen = document.fullscreenEnabled
  return {
    element: h(
      'div',
      { class: 'vd-toolbar', role: 'toolbar', 'aria-label': 'View', 'aria-orientation': 'vertical' },
      iconButton('plus', 'Zoom in', () => actions.zoomBy(1), 'zoom-in'),
      iconButton('minus', 'Zoom out', () => actions.zoomBy(-1), 'zoom-out'),
      iconButton('fit', 'Show the whole image', actions.fit, 'zoom-fit'),
      canFullscreen ? iconButton('fullscreen', 'Full screen', actions.fullscreen, 'fullscreen') : null,
    ),
  }
}
