// What has to be said: seen for a while, and read out by screen readers.

import type { Part } from './controls'
import { h } from './dom'

export interface Messages extends Part {
  say(message: string): void
}

const STAY = 7000

export function messages(): Messages {
  const element = h('div', { class: 'vd-messages', id: 'messages', role: 'status', 'aria-live': 'polite' })
  return {
    element,
    say(message) {
      // The same thing is said once, however many tiles have it to say.
      if ([...element.children].some((one) => one.textContent === message)) return
      const line = h('p', {}, message)
      element.append(line)
      window.setTimeout(() => line.remove(), STAY)
    },
  }
}
