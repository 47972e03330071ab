// What has to be said: seen for a while, and read out by screen readers.

import type { Part } from './controls'
import { h } from './dom'

export interface Messages extends Part {
  say(message: string): void
  /** Says how something stands that takes its time, in the place of what was said of it before; null when it is over. */
  keep(message: string | null): void
}

const STAY = 7000

export function messages(): Messages {
  const element = h('div', { class: 'vd-messages', id: 'messages', role: 'status', 'aria-live': 'polite' })
  const kept = h('p', {})
  return {
    element,
    keep(message) {
      if (message === null) return kept.remove()
      if (!kept.isConnected) element.append(kept)
      if (kept.textContent !== message) kept.textContent = message
    },
    say(message) {
      // The same thing is said once, however many tiles have it to say.
      if ([...element.children].some((one) => one.textContent === message)) return
      const line = h('p', {}, message)
      element.append(line)
      window.setTimeout(() => line.remove(), STAY)
    },
  }
}
