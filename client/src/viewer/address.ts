// Keeps the fragment of the page's address equal to the view, and tells when somebody else changed it.

export interface Address {
  /** Writes soon; browsers refuse more than a few writes a second. */
  write(hash: () => string): void
  stop(): void
}

const DELAY = 300

export function createAddress(changed: (hash: string) => void): Address {
  let timer: number | undefined
  let written = location.hash
  const listener = (): void => {
    if (location.hash === written) return
    // What was to be written is of a view that is being left.
    window.clearTimeout(timer)
    written = location.hash
    changed(location.hash)
  }
  window.addEventListener('hashchange', listener)
  return {
    write(hash) {
      window.clearTimeout(timer)
      timer = window.setTimeout(() => {
        const next = `#${hash()}`
        if (next === location.hash) return
        // The query is spent once the view has a link of its own: it would contradict it after the first move.
        history.replaceState(history.state, '', location.pathname + next)
        written = location.hash
      }, DELAY)
    },
    stop() {
      window.clearTimeout(timer)
      window.removeEventListener('hashchange', listener)
    },
  }
}
