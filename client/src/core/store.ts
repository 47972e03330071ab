// A value that others may watch. Listeners get the new and the previous value, in order of subscription.

export interface Store<T> {
  get(): T
  set(value: T): void
  update(change: Partial<T>): void
  subscribe(listener: (value: T, previous: T) => void): () => void
}

export function createStore<T extends object>(initial: T): Store<T> {
  let current = initial
  const listeners = new Set<(value: T, previous: T) => void>()
  const set = (value: T): void => {
    if (Object.is(value, current)) return
    const previous = current
    current = value
    for (const listener of [...listeners]) {
      // A listener that set the value again has told everybody already.
      if (current !== value) return
      listener(value, previous)
    }
  }
  return {
    get: () => current,
    set,
    update: (change) => set({ ...current, ...change }),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
