// What is under the pointer.

import type { Values } from '../api/wire'
import { fitsOfRaster, isInside, type Point } from '../core/geometry'
import { createLatest } from '../core/latest'
import { skyText } from '../core/skyText'
import type { SkyMap } from '../core/wcs'
import type { Session } from './session'

export interface Reading {
  /** FITS pixel. */
  readonly pixel: Point
  /** Where that is on the sky, for people; null where there is none, undefined where only the server can tell. */
  readonly sky: string | null | undefined
  /** Null until the server has answered. */
  readonly values: Values | null
}

export interface Probe {
  move(point: Point | null): void
  /** Asks again where the pointer rests, for the channel changed. */
  refresh(): void
  stop(): void
}

/** At most ten questions a second. */
const INTERVAL = 100

export function createProbe(session: Session, show: (reading: Reading | null) => void): Probe {
  let map: SkyMap | null | undefined
  const loading = new AbortController()
  const { cube: described } = session.store.get()
  // A description that does not come is not worth a message: the server tells the position with the values.
  if (described.wcs)
    void session.client.wcs(session.ref(), described.fingerprint, loading.signal).then((answer) => {
      if (answer.ok) map = answer.value
    })

  /** The position without a request, as far as the description goes. */
  const skyAt = ({ x, y }: Point): Reading['sky'] => {
    const sky = map?.sky(x, y)
    if (!map || sky === undefined || sky === 'ask') return undefined
    return sky && skyText(sky, map.frame).join(' ')
  }

  let here: Point | null = null
  let shownFor = ''

  const latest = createLatest(async (pixel: Point, signal: AbortSignal) => {
    const { style } = session.store.get()
    const channels =
      style.mode === 'color' && !style.recipe ? style.mix.map((entry) => entry.channel) : [style.channel]
    const answer = await session.client.values(session.ref(), pixel.x, pixel.y, channels, signal)
    // A failed reading is not worth a message; the badge tells when the server is away.
    if (answer.ok && !signal.aborted) show({ pixel, sky: skyAt(pixel), values: answer.value })
  }, INTERVAL)

  const look = (force: boolean): void => {
    const { cube } = session.store.get()
    if (!here || !isInside(here, cube)) {
      latest.cancel()
      shownFor = ''
      show(null)
      return
    }
    const pixel = fitsOfRaster(here, cube.height)
    const key = `${pixel.x},${pixel.y}`
    if (key === shownFor && !force) return
    if (key !== shownFor) show({ pixel, sky: skyAt(pixel), values: null })
    shownFor = key
    latest.ask(pixel)
  }
  return {
    move(point) {
      here = point
      look(false)
    },
    refresh: () => look(true),
    stop() {
      loading.abort()
      latest.cancel()
    },
  }
}
