// One cube on the screen: the map, the panel, and the wires between them.

import type { Client } from '../api/client'
import { type Rendering, renderingQuery } from '../api/urls'
import type { Cube } from '../api/wire'
import { describe } from '../core/errors'
import { levelOfZoom, type Placement, type Point } from '../core/geometry'
import { createMapView, type MapView } from '../map/mapView'
import { renderingOf } from '../style/rendering'
import { fitStyle, type Style } from '../style/style'
import { badge, type FileState } from '../ui/badge'
import { buildingLine } from '../ui/building'
import { stepChannel } from '../ui/channelPanel'
import { h } from '../ui/dom'
import { scaleBar } from '../ui/scaleBar'
import { statusLine } from '../ui/statusLine'
import { toolbar } from '../ui/toolbar'
import { controls } from './controls'
import { createCutting } from './cutting'
import { createExact } from './exact'
import { listenToKeys } from './keyboard'
import { createPlayer } from './player'
import { createProbe } from './probe'
import { isMissing } from './reread'
import { createSession, type Session } from './session'

/** What the viewer asks of the page around it. */
export interface Host {
  say(message: string): void
  /** The view is another: its link should be, too. */
  moved(): void
  /** The file is another than the one we hold the metadata of. */
  stale(): void
  /** There is no such cube on the server any more. */
  gone(): void
  switchCube(): void
  chooseLayer(layer: string): void
  copyLink(): void
  help(): void
  colormaps: readonly string[]
}

export interface View {
  readonly cube: string
  readonly channel: number
  readonly zoom: number
  readonly level: number
  readonly center: Point
  readonly style: Style
}

export interface Viewer {
  readonly cube: Cube
  readonly session: Session
  readonly ready: boolean
  view(): View
  setStyle(style: Style): void
  setView(placement: Placement): void
  containerPoint(x: number, y: number): Point
  readonly map: MapView
  /** Says beside the picture what becomes of its file. */
  hold(state: FileState): void
  destroy(): void
}

/** CSS pixels per press of an arrow key. */
const STEP = 80

export function createViewer(
  root: HTMLElement,
  client: Client,
  cube: Cube,
  style: Style,
  host: Host,
): Viewer {
  const session = createSession(client, cube, fitStyle(style, cube), host.say)
  const { store } = session
  const cutting = createCutting(session)
  const pyramid = buildingLine()
  const status = statusLine(cube, pyramid.element)
  const probe = createProbe(session, (reading) => status.show(reading))
  const loading = badge()
  const bar = scaleBar(cube)
  let map: MapView | undefined
  const player = createPlayer(
    () => stepChannel(session, 1),
    () => map?.settled ?? false,
    (playing) => panel.playing(playing),
  )
  const panel = controls(session, { cutting, player, host, resized: () => map?.resized() })
  const fullscreen = (): void => {
    const change = document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()
    void change.catch(() => host.say('This browser does not allow full screen here.'))
  }
  const view = h('div', {
    class: 'vd-map',
    id: 'map',
    tabindex: 0,
    role: 'application',
    'aria-label': 'Image: arrows move, plus and minus zoom',
  })
  const tools = toolbar({ zoomBy: (steps) => map?.zoomBy(steps), fit: () => map?.fit(), fullscreen })
  const stage = h(
    'main',
    { class: 'vd-stage' },
    h('div', { class: 'vd-picture' }, view, tools.element, loading.element, bar.element, panel.opener),
    status.element,
  )
  root.replaceChildren(stage, panel.element)

  const exact = createExact(
    client.feed,
    { cube: cube.name, layer: cube.layer, v: cube.fingerprint },
    {
      refresh: (region) => map?.refresh(region),
      building: pyramid.show,
      built: pyramid.built,
      failed: pyramid.failed,
      hidden: () => document.hidden,
    },
  )
  /** The keys of the picture asked for last, and of the last that failed. */
  let drawn = ''
  let complained = ''
  map = createMapView(
    view,
    cube,
    (index, rendering, options) => client.tile(cube.name, index, rendering, options),
    {
      moved: () => {
        if (map) bar.show(map.scale())
        host.moved()
      },
      pointer: (point) => probe.move(point),
      progress: (progress) => {
        loading.show(progress)
        exact.previews(progress.preview)
      },
      failed: (error) => {
        if (error.kind === 'stale') {
          loading.hold('changed')
          host.stale()
        } else if (isMissing(error)) {
          loading.hold('gone')
          host.gone()
        }
        // What one tile says, the others would repeat.
        else if (complained !== drawn) host.say(`Tiles cannot be drawn: ${describe(error)}`)
        complained = drawn
      },
    },
  )
  const shown = map
  bar.show(shown.scale())

  // The picture follows the style; what would draw the same is not asked for again.
  const draw = (rendering: Rendering | null, urgent: boolean): void => {
    const key = rendering ? `${renderingQuery(rendering)}${rendering.lossless}` : ''
    if (!rendering) return
    // Letting go of a slider repeats its last value: not another request, but no more waiting either.
    if (key === drawn) {
      if (urgent) shown.flush()
      return
    }
    drawn = key
    shown.setRendering(rendering, urgent)
  }
  draw(renderingOf(store.get().style, cube), true)
  store.subscribe((now, before) => {
    draw(renderingOf(now.style, cube), now.urgent)
    if (now.style.channel !== before.style.channel || now.style.mode !== before.style.mode) probe.refresh()
    if (now.style.mode !== 'mono') player.stop()
    host.moved()
  })

  const step = (x: number, y: number) => () => shown.panBy(x * STEP, y * STEP)
  const unlisten = listenToKeys({
    ArrowLeft: step(-1, 0),
    ArrowRight: step(1, 0),
    ArrowUp: step(0, -1),
    ArrowDown: step(0, 1),
    '+': () => shown.zoomBy(1),
    '=': () => shown.zoomBy(1),
    '-': () => shown.zoomBy(-1),
    '0': () => shown.fit(),
    '[': () => stepChannel(session, -1),
    ']': () => stepChannel(session, 1),
    ' ': () => cube.channels.length > 1 && player.toggle(),
    i: () => session.change({ invert: !store.get().style.invert }),
    r: () => cutting.reset(),
    f: fullscreen,
    p: () => panel.toggle(),
    '?': host.help,
  })
  const observer = new ResizeObserver(() => shown.resized())
  observer.observe(view)

  return {
    cube,
    session,
    map: shown,
    get ready() {
      return shown.settled && !cutting.busy
    },
    view() {
      const { zoom, x, y } = shown.placement()
      const { style: now } = store.get()
      return {
        cube: cube.name,
        channel: now.channel,
        zoom,
        level: levelOfZoom(zoom, shown.maxLevel),
        center: { x, y },
        style: now,
      }
    },
    setStyle: (next) => store.update({ style: fitStyle(next, cube), urgent: true }),
    setView: (placement) => shown.setPlacement(placement),
    hold: (state) => loading.hold(state),
    containerPoint: (x, y) => shown.pagePoint({ x, y }),
    destroy() {
      player.stop()
      cutting.stop()
      probe.stop()
      exact.stop()
      unlisten()
      observer.disconnect()
      shown.destroy()
      root.replaceChildren()
    },
  }
}
