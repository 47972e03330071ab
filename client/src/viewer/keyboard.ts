// One key, one action. Keys are left alone in fields that use them themselves, and with modifiers.

export type KeyMap = Readonly<Record<string, () => void>>

const TYPED = new Set(['text', 'number', 'search', 'url', 'email', 'password', 'tel'])

/** Whether the focused control wants this key for itself. */
export function isTaken(target: EventTarget | null, key: string): boolean {
  if (target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement) return true
  // Space presses what has the focus.
  if (key === ' ' && target instanceof HTMLElement && target.closest('button, input, a, summary')) return true
  if (!(target instanceof HTMLInputElement)) return false
  if (TYPED.has(target.type)) return true
  return target.type === 'range' && key.startsWith('Arrow')
}

export function listenToKeys(keys: KeyMap): () => void {
  const listener = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    if (document.querySelector('dialog[open]')) return
    const action = keys[event.key]
    if (!action || isTaken(event.target, event.key)) return
    event.preventDefault()
    action()
  }
  document.addEventListener('keydown', listener)
  return () => document.removeEventListener('keydown', listener)
}
