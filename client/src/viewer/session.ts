// What is on the screen, as data: one cube and how it is shown. Panels read it and act on it; only the
// viewer draws it.

import type { Client, CubeRef } from '../api/client'
import type { Cube } from '../api/wire'
import { createStore, type Store } from '../core/store'
import type { Style } from '../style/style'

export interface SessionState {
  readonly cube: Cube
  readonly style: Style
  /** False while a control is being dragged: the picture may lag behind. */
  readonly urgent: boolean
}

export interface Session {
  readonly store: Store<SessionState>
  readonly client: Client
  readonly ref: () => CubeRef
  /** Says something to the person, also to those who hear the page. */
  readonly say: (message: string) => void
  change(change: Partial<Style>, urgent?: boolean): void
}

export function createSession(
  client: Client,
  cube: Cube,
  style: Style,
  say: (message: string) => void,
): Session {
  const store = createStore<SessionState>({ cube, style, urgent: true })
  return {
    store,
    client,
    say,
    ref: () => {
      const { name, layer, layers } = store.get().cube
      return layers.length > 1 ? { name, layer } : { name }
    },
    change: (change, urgent = true) => store.update({ style: { ...store.get().style, ...change }, urgent }),
  }
}
