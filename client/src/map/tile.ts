// One tile on the screen: asks for its picture, and keeps the old one until the new one is decoded.

import type { Rendering, TileIndex } from '../api/urls'
import type { ClientError, Result } from '../core/errors'
import type { TileState } from './progress'

/** Where pictures come from; the viewer hands in the API client, tests something else. */
export type TileSource = (
  index: TileIndex,
  rendering: Rendering,
  options: { signal: AbortSignal; onRetry: (error: ClientError) => void },
) => Promise<Result<{ blob: Blob; preview: boolean }>>

export interface Tile {
  readonly element: HTMLElement
  readonly index: TileIndex
  readonly state: TileState
  /** Resolves when drawn, failed or given up for a newer request. */
  load(rendering: Rendering): Promise<void>
  /** Asks again for what was a preview, which stays until the new picture is drawn; it may be a preview again. */
  refresh(): Promise<void>
  abort(): void
}

export interface TileEvents {
  changed(): void
  failed(error: ClientError): void
}

export function createTile(index: TileIndex, source: TileSource, events: TileEvents): Tile {
  const element = document.createElement('div')
  const canvas = document.createElement('canvas')
  canvas.width = 0
  canvas.height = 0
  element.append(canvas)
  let state: TileState = 'loading'
  let controller: AbortController | undefined
  let wanted: Rendering | undefined

  element.dataset.state = state

  const become = (next: TileState): void => {
    if (state === next) return
    state = next
    element.dataset.state = next
    events.changed()
  }
  const giveUp = (error: ClientError): void => {
    become('failed')
    if (error.kind !== 'aborted') events.failed(error)
  }
  const draw = (bitmap: ImageBitmap): void => {
    // The picture's own size, never the grid's: tiles at the edges are smaller, and must not be stretched.
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width
      canvas.height = bitmap.height
    }
    const context = canvas.getContext('2d')
    // What was there must not show through where the new picture is transparent.
    context?.clearRect(0, 0, canvas.width, canvas.height)
    context?.drawImage(bitmap, 0, 0)
    bitmap.close()
  }
  const ask = async (rendering: Rendering, onRetry: (error: ClientError) => void): Promise<void> => {
    controller?.abort()
    controller = new AbortController()
    const { signal } = controller
    const result = await source(index, rendering, { signal, onRetry })
    if (signal.aborted) return
    if (!result.ok) return giveUp(result.error)
    try {
      const bitmap = await createImageBitmap(result.value.blob)
      // Somebody else's picture by now.
      if (signal.aborted) return bitmap.close()
      draw(bitmap)
      become(result.value.preview ? 'preview' : 'exact')
    } catch {
      if (!signal.aborted) giveUp({ kind: 'protocol', message: 'a tile that is not a picture' })
    }
  }
  return {
    element,
    index,
    get state() {
      return state
    },
    async load(rendering) {
      if (wanted === rendering) return
      wanted = rendering
      become('loading')
      await ask(rendering, (error) => become(error.kind === 'network' ? 'offline' : 'retrying'))
    },
    async refresh() {
      // The picture that is there is no worse for a server that is busy: nobody has to hear of it.
      if (wanted && state === 'preview') await ask(wanted, () => {})
    },
    abort() {
      controller?.abort()
    },
  }
}
