// The tiles of one cube, as a Leaflet layer. Leaflet decides which tiles there are and keeps those of another
// zoom on the screen until theirs are drawn; what is in them is our tiles' own business.

import * as L from 'leaflet'
import type { Region } from '../api/events'
import type { Rendering } from '../api/urls'
import type { Cube } from '../api/wire'
import type { ClientError } from '../core/errors'
import { createPacer, type Pacer } from '../core/pacer'
import { rasterCrs } from './crs'
import { isSettled, type Progress, summarise } from './progress'
import { createRefresher } from './refresher'
import { isSeenIn, isShownBy } from './region'
import { createTile, type Tile, type TileSource } from './tile'

/** Ten pictures a second while a slider moves; a slow server is not pressed for more than one a second. */
const PACE = { interval: 100, patience: 1000 }
/** Previews asked for again at a time; a browser has six connections to a host. */
const REFRESHED = 4

export interface TileLayerEvents {
  progress(progress: Progress): void
  failed(error: ClientError): void
}

export class TileLayer extends L.GridLayer {
  private readonly shown = new Map<HTMLElement, Tile>()
  private readonly pacer: Pacer<Rendering>
  private readonly refresher = createRefresher(REFRESHED)
  private rendering: Rendering | undefined
  private announced = false

  constructor(
    cube: Cube,
    private readonly source: TileSource,
    private readonly events: TileLayerEvents,
  ) {
    const maxLevel = cube.levels.length - 1
    super({
      tileSize: cube.tile_size,
      bounds: L.latLngBounds([0, 0], [cube.height, cube.width]),
      minNativeZoom: 0,
      maxNativeZoom: maxLevel,
      minZoom: -20,
      maxZoom: maxLevel + 20,
      noWrap: true,
      updateWhenIdle: false,
      updateWhenZooming: false,
      keepBuffer: 1,
      className: 'vd-tiles',
    })
    this.maxLevel = maxLevel
    this.pacer = createPacer((rendering) => this.repaint(rendering), PACE)
    this.on('tileunload', (event: L.TileEvent) => this.drop(event.tile))
  }

  private readonly maxLevel: number

  /** Whether every tile on the screen is what it should be, and nothing newer waits. */
  get settled(): boolean {
    return this.rendering !== undefined && !this.pacer.waiting && this.progress().pending === 0
  }

  setRendering(rendering: Rendering, urgent: boolean): void {
    this.pacer.offer(rendering, urgent || this.rendering === undefined)
  }

  /** Draws what still waits for its turn. */
  flush(): void {
    this.pacer.flush()
  }

  /** Asks again for the previews that show some of a region, or for all. */
  refresh(region?: Region): void {
    const { rendering } = this
    if (!rendering || (region && !isShownBy(region, rendering))) return
    const size = this.getTileSize().x
    // Tiles that are loading, too: what is on its way to them may have been made before the news.
    const touched = this.nearestFirst().filter(({ state }) => state !== 'exact' && state !== 'failed')
    this.refresher.add(touched.filter(({ index }) => !region || isSeenIn(region, index, size)))
  }

  stop(): void {
    this.pacer.stop()
    this.refresher.clear()
    for (const tile of this.shown.values()) tile.abort()
    this.shown.clear()
  }

  progress(): Progress {
    return summarise([...this.shown.values()].map((tile) => tile.state))
  }

  protected override createTile(coords: L.Coords, done: L.DoneCallback): HTMLElement {
    const index = { level: this.maxLevel - coords.z, row: coords.y, column: coords.x }
    // Leaflet wants to hear of the first picture only (it then takes what was there at another zoom away);
    // later ones take its place in the same element.
    let told = false
    const tile = createTile(index, this.source, {
      changed: () => {
        if (!told && isSettled(tile.state)) {
          told = true
          done(undefined, tile.element)
        }
        this.changed()
      },
      failed: (error) => this.events.failed(error),
    })
    this.shown.set(tile.element, tile)
    if (this.rendering) void tile.load(this.rendering)
    this.changed()
    return tile.element
  }

  private repaint(rendering: Rendering): void {
    this.rendering = rendering
    this.refresher.clear()
    for (const tile of this.nearestFirst()) void tile.load(rendering)
    this.changed()
  }

  /** What one looks at is asked for first. */
  private nearestFirst(): Tile[] {
    const tiles = [...this.shown.values()]
    const map = this._map as L.Map | null
    if (!map) return tiles
    const zoom = this.maxLevel
    const centre = rasterCrs(this.maxLevel).latLngToPoint(map.getCenter(), zoom)
    const size = this.getTileSize().x
    const distance = ({ index }: Tile): number => {
      const width = size * 2 ** index.level
      return Math.hypot((index.column + 0.5) * width - centre.x, (index.row + 0.5) * width - centre.y)
    }
    return tiles
      .map((tile) => [distance(tile), tile] as const)
      .sort((a, b) => a[0] - b[0])
      .map(([, tile]) => tile)
  }

  private drop(element: HTMLElement): void {
    const tile = this.shown.get(element)
    if (tile) {
      tile.abort()
      this.refresher.drop(tile)
    }
    this.shown.delete(element)
    this.changed()
  }

  /** Many tiles change at once; one word about it is enough. */
  private changed(): void {
    if (this.announced) return
    this.announced = true
    queueMicrotask(() => {
      this.announced = false
      const progress = this.progress()
      if (this.rendering && progress.pending === 0) this.pacer.idle()
      // What is not there yet comes before what is only not exact yet.
      this.refresher.hold(progress.pending > 0)
      this.events.progress(progress)
    })
  }
}
