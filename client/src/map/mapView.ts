// The map of one cube: everything the rest of the client knows of Leaflet.

import * as L from 'leaflet'
import 'leaflet/dist/leaflet.css'
import type { Region } from '../api/events'
import type { Rendering } from '../api/urls'
import type { Cube } from '../api/wire'
import { fitZoom, OVERZOOM, type Placement, type Point, scaleOfZoom } from '../core/geometry'
import { rasterCrs, toLatLng, toPoint } from './crs'
import type { TileSource } from './tile'
import { TileLayer, type TileLayerEvents } from './tileLayer'

export interface MapEvents extends TileLayerEvents {
  /** The view is another; also while it moves. */
  moved(): void
  /** The pointer is over this raster position, or gone. */
  pointer(point: Point | null): void
}

export interface MapView {
  readonly maxLevel: number
  /** Nothing moves and every tile shows what it should. */
  readonly settled: boolean
  setRendering(rendering: Rendering, urgent: boolean): void
  /** Draws the last rendering now, if it still waits for its turn. */
  flush(): void
  /** Asks again for previews: for those that show some of a region, or for all. */
  refresh(region?: Region): void
  placement(): Placement
  setPlacement(placement: Placement): void
  fit(): void
  panBy(x: number, y: number): void
  zoomBy(steps: number): void
  /** CSS pixels per image pixel. */
  scale(): number
  /** Where a raster position is on the page, in CSS pixels. */
  pagePoint(point: Point): Point
  resized(): void
  destroy(): void
}

const SNAP = 0.25

export function createMapView(
  element: HTMLElement,
  cube: Cube,
  source: TileSource,
  events: MapEvents,
): MapView {
  const maxLevel = cube.levels.length - 1
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches
  const window_ = { width: element.clientWidth, height: element.clientHeight }
  const fitting = fitZoom(cube, window_, maxLevel, SNAP)
  const map = L.map(element, {
    crs: rasterCrs(maxLevel),
    minZoom: Math.min(Math.floor(fitting) - 1, 0),
    maxZoom: Math.max(maxLevel + OVERZOOM, Math.ceil(fitting) + 1),
    zoomSnap: SNAP,
    zoomDelta: 1,
    wheelPxPerZoomLevel: 90,
    zoomControl: false,
    attributionControl: false,
    // Ours works without the focus on the map.
    keyboard: false,
    // A fading tile would show the background through when channels change.
    fadeAnimation: false,
    zoomAnimation: !calm,
    inertia: !calm,
  })
  const layer = new TileLayer(cube, source, events)
  let moving = false

  const centre = { x: cube.width / 2, y: cube.height / 2 }
  const showAll = (animate: boolean): void => {
    const zoom = fitZoom(cube, { width: element.clientWidth, height: element.clientHeight }, maxLevel, SNAP)
    map.setView(toLatLng(centre), zoom, { animate })
  }
  const isFitted = (width: number, height: number): boolean => {
    const { x, y } = toPoint(map.getCenter())
    const near = 2 / scaleOfZoom(map.getZoom(), maxLevel)
    const zoom = fitZoom(cube, { width, height }, maxLevel, SNAP)
    return map.getZoom() === zoom && Math.hypot(x - centre.x, y - centre.y) < near
  }
  const pixelate = (): void => {
    element.classList.toggle('vd-magnified', map.getZoom() > maxLevel + 0.5)
  }
  map.on('movestart zoomstart', () => {
    moving = true
  })
  map.on('moveend', () => {
    moving = false
    events.moved()
  })
  map.on('move', () => events.moved())
  map.on('zoomend viewreset', pixelate)
  map.on('mousemove', (event: L.LeafletMouseEvent) => events.pointer(toPoint(event.latlng)))
  map.on('mouseout', () => events.pointer(null))
  // Fingers do not hover: a tap asks for the value.
  map.on('click', (event: L.LeafletMouseEvent) => events.pointer(toPoint(event.latlng)))
  map.setView(toLatLng(centre), fitting, { animate: false })
  pixelate()

  return {
    maxLevel,
    get settled() {
      return !moving && layer.settled
    },
    setRendering: (rendering, urgent) => {
      layer.setRendering(rendering, urgent)
      // Not before: tiles cannot be asked for without a style.
      if (!map.hasLayer(layer)) layer.addTo(map)
    },
    flush: () => layer.flush(),
    refresh: (region) => layer.refresh(region),
    placement: () => ({ ...toPoint(map.getCenter()), zoom: map.getZoom() }),
    setPlacement: ({ zoom, ...point }) => {
      // A reset is exact; a pan would go whole screen pixels only.
      map.setView(toLatLng(point), zoom, { reset: true } as L.ZoomPanOptions)
    },
    fit: () => showAll(true),
    panBy: (x, y) => {
      map.panBy([x, y])
    },
    zoomBy: (steps) => {
      map.setZoom(map.getZoom() + steps)
    },
    scale: () => scaleOfZoom(map.getZoom(), maxLevel),
    pagePoint: (point) => {
      const inside = map.latLngToContainerPoint(toLatLng(point))
      const box = element.getBoundingClientRect()
      return { x: box.left + inside.x, y: box.top + inside.y }
    },
    resized: () => {
      const size = map.getSize()
      const fitted = isFitted(size.x, size.y)
      // Leaflet forgets the exact centre when told of a size, even of the same.
      if (size.x !== element.clientWidth || size.y !== element.clientHeight)
        map.invalidateSize({ animate: false, pan: true })
      else return
      // Who looks at the whole image goes on doing so.
      if (fitted) showAll(false)
    },
    destroy: () => {
      layer.stop()
      map.remove()
    },
  }
}
