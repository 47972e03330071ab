// The side panel: its frame, and the sections in their order.

import { applyTheme, savedTheme, THEMES, type Theme } from '../viewer/theme'
import { iconButton, type Part } from './controls'
import { h } from './dom'

export interface Panel extends Part {
  /** Brings the panel back; lives outside of it. */
  readonly opener: HTMLElement
  toggle(): void
}

/** Narrower than this, the panel is a sheet over the picture and starts closed. */
const NARROW = '(max-width: 720px)'

function themeSelect(): HTMLSelectElement {
  const saved = savedTheme()
  const names: Record<Theme, string> = { dark: 'Dark', light: 'Light', auto: 'Auto' }
  const select = h(
    'select',
    { id: 'theme', 'aria-label': 'Theme', title: 'Theme', onchange: () => applyTheme(select.value as Theme) },
    ...THEMES.map((theme) => h('option', { value: theme, selected: theme === saved }, names[theme])),
  )
  return select
}

export function panel(sections: readonly HTMLElement[], showHelp: () => void, resized: () => void): Panel {
  let open = !window.matchMedia(NARROW).matches
  const close = iconButton('close', 'Hide the panel', () => toggle(), 'panel-close')
  const opener = iconButton('sliders', 'Show the panel', () => toggle(), 'panel-open')
  opener.classList.add('vd-panel-open')
  const header = h(
    'header',
    { class: 'vd-panel-head' },
    h('h1', {}, 'VisiOmatic'),
    themeSelect(),
    iconButton('help', 'Keys', showHelp, 'help-open'),
    close,
  )
  const element = h(
    'aside',
    { class: 'vd-panel', id: 'panel', 'aria-label': 'Controls' },
    header,
    h('div', { class: 'vd-panel-body' }, ...sections),
  )
  const render = (): void => {
    element.hidden = !open
    opener.hidden = open
  }
  const toggle = (): void => {
    const focused = element.contains(document.activeElement)
    open = !open
    render()
    resized()
    // Focus must not be lost with what is hidden.
    if (open) close.focus({ preventScroll: true })
    else if (focused) opener.focus()
  }
  render()
  return { element, opener, toggle }
}
