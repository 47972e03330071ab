// Time for tests.

import type { Clock } from '../src/core/pacer'

/** A clock that is turned by hand. */
export class FakeClock implements Clock {
  private time = 0
  private timers = new Map<number, { due: number; callback: () => void }>()
  private count = 0
  now = (): number => this.time
  setTimeout(callback: () => void, ms: number): number {
    this.count += 1
    this.timers.set(this.count, { due: this.time + ms, callback })
    return this.count
  }
  clearTimeout(timer: number): void {
    this.timers.delete(timer)
  }
  advance(ms: number): void {
    const end = this.time + ms
    for (;;) {
      const next = [...this.timers].filter(([, { due }]) => due <= end).sort((a, b) => a[1].due - b[1].due)[0]
      if (!next) break
      this.timers.delete(next[0])
      this.time = next[1].due
      next[1].callback()
    }
    this.time = end
  }
}
