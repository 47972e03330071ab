// Dark, light, or as the system has it. The choice is kept on this machine.

export const THEMES = ['dark', 'light', 'auto'] as const
export type Theme = (typeof THEMES)[number]

const KEY = 'visiomatic-theme'

export function savedTheme(): Theme {
  try {
    const saved = localStorage.getItem(KEY)
    return THEMES.find((theme) => theme === saved) ?? 'dark'
  } catch {
    // Storage may be forbidden; then there is nothing to remember.
    return 'dark'
  }
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // As above.
  }
}
