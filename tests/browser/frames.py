"""What every frame of a page shows of the tiles: whether one was ever empty, faded or gone."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

_WATCH = """() => {
  const tiles = [...document.querySelectorAll('.vd-tiles .leaflet-tile')]
  const seen = { tiles: tiles.length, frames: 0, bad: [], states: new Set() }
  const why = (tile) => {
    const canvas = tile.querySelector('canvas')
    if (!tile.isConnected) return 'gone'
    if (canvas.width === 0 || canvas.height === 0) return 'empty'
    const style = getComputedStyle(tile)
    if (style.opacity !== '1' || style.visibility !== 'visible') return 'faded'
    const { data } = canvas.getContext('2d').getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1)
    return data[3] === 255 ? null : 'blank'
  }
  const look = () => {
    seen.frames += 1
    for (const tile of tiles) {
      const reason = why(tile)
      if (reason !== null) seen.bad.push(`${reason} in frame ${seen.frames}`)
    }
    seen.states.add(document.querySelector('#badge').dataset.state)
    window.framesRequest = requestAnimationFrame(look)
  }
  window.framesSeen = seen
  look()
}"""
_END = """() => {
  cancelAnimationFrame(window.framesRequest)
  const { states, ...rest } = window.framesSeen
  return { ...rest, states: [...states] }
}"""


def watch_frames(page: Page) -> None:
    """Look at the tiles that are on the screen now in every frame from now on."""
    page.evaluate(_WATCH)


def seen_frames(page: Page) -> dict[str, Any]:
    """End the watch: ``tiles`` that were looked at, ``frames``, what was ``bad``, and the ``states`` of the badge."""
    found: dict[str, Any] = page.evaluate(_END)
    return found
