// How the tiles are doing, for the badge.

export type TileState = 'loading' | 'retrying' | 'offline' | 'exact' | 'preview' | 'failed'

export const isSettled = (state: TileState): boolean =>
  state === 'exact' || state === 'preview' || state === 'failed'

export interface Progress {
  /** Tiles whose picture is not the one wanted yet, and will be. */
  readonly pending: number
  readonly retrying: number
  readonly offline: number
  readonly preview: number
  readonly failed: number
  readonly total: number
}

export type Condition = 'idle' | 'loading' | 'retrying' | 'offline' | 'preview' | 'failed'

export function summarise(states: Iterable<TileState>): Progress {
  const count = { loading: 0, retrying: 0, offline: 0, exact: 0, preview: 0, failed: 0 }
  let total = 0
  for (const state of states) {
    count[state] += 1
    total += 1
  }
  const pending = count.loading + count.retrying + count.offline
  const { retrying, offline, preview, failed } = count
  return { pending, retrying, offline, preview, failed, total }
}

/** The one thing to tell, the worst first. */
export function conditionOf(progress: Progress): Condition {
  if (progress.offline > 0) return 'offline'
  if (progress.retrying > 0) return 'retrying'
  if (progress.pending > 0) return 'loading'
  if (progress.failed > 0) return 'failed'
  return progress.preview > 0 ? 'preview' : 'idle'
}
