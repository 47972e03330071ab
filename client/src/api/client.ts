// The server, as functions.

import type { ClientError } from '../core/errors'
import { createFeed, type FeedHost } from './feed'
import { browserTransport, readJson, readTile, request, type Transport } from './http'
import { createUrls, type FolderQuery, type Rendering, type TileIndex } from './urls'
import {
  parseColormaps,
  parseCube,
  parseCubes,
  parseCuts,
  parseFolder,
  parsePresets,
  parseValues,
  parseWcs,
} from './wire'

/** Which cube, and which of its layers (the server's choice when undefined). */
export interface CubeRef {
  readonly name: string
  readonly layer?: string
}

export function createClient(base: string, transport: Transport = browserTransport, feedHost?: FeedHost) {
  const urls = createUrls(base)
  return {
    /** What becomes of previews. Nothing is opened before somebody wants to hear it. */
    feed: createFeed(urls, feedHost),
    cubes: (signal: AbortSignal) => request(transport, urls.cubes(), readJson(parseCubes), { signal }),
    folder: (path: string, part: FolderQuery, signal: AbortSignal) =>
      request(transport, urls.folder(path, part), readJson(parseFolder), { signal }),
    colormaps: (signal: AbortSignal) =>
      request(transport, urls.colormaps(), readJson(parseColormaps), { signal }),
    strips: urls.strips,
    presets: (ref: CubeRef, signal: AbortSignal) =>
      request(transport, urls.presets(ref.name, ref.layer), readJson(parsePresets), { signal }),
    cube: (ref: CubeRef, options: { signal: AbortSignal; onRetry?: (error: ClientError) => void }) =>
      request(transport, urls.cube(ref.name, ref.layer), readJson(parseCube), options),
    cuts: (ref: CubeRef, channel: number, method: string, signal: AbortSignal) =>
      request(transport, urls.cuts(ref.name, channel, method, ref.layer), readJson(parseCuts), { signal }),
    // The pointer has moved on by the time a second try would answer.
    values: (ref: CubeRef, x: number, y: number, channels: readonly number[], signal: AbortSignal) =>
      request(transport, urls.values(ref.name, x, y, channels, ref.layer), readJson(parseValues), {
        signal,
        retries: 0,
      }),
    wcs: (ref: CubeRef, fingerprint: string, signal: AbortSignal) =>
      request(transport, urls.wcs(ref.name, fingerprint, ref.layer), readJson(parseWcs), { signal }),
    tile: (
      name: string,
      index: TileIndex,
      style: Rendering,
      options: { signal: AbortSignal; onRetry?: (error: ClientError) => void },
    ) =>
      request(transport, urls.tile(name, index, style), readTile, {
        ...options,
        retries: Number.POSITIVE_INFINITY,
      }),
  }
}

export type Client = ReturnType<typeof createClient>
