// The page: opens what the address says, and keeps the address true.

import type { Client } from './api/client'
import type { Cube } from './api/wire'
import { describe, isUnderWay } from './core/errors'
import { carryOver } from './core/geometry'
import { formatHash, type Link, parseHash, styleOfLink } from './link/hash'
import { linkOfLayer, placeOf } from './link/layer'
import { linkOfPage, zoomOfFov } from './link/query'
import { type Chooser, chooser, folderOf } from './ui/chooser'
import { textButton } from './ui/controls'
import { dialog } from './ui/dialog'
import { h } from './ui/dom'
import { help } from './ui/help'
import { messages } from './ui/messages'
import { createAddress } from './viewer/address'
import { type Reason, reread } from './viewer/reread'
import { createViewer, type Viewer } from './viewer/viewer'

export interface App {
  readonly viewer: Viewer | null
}

export function createApp(root: HTMLElement, client: Client): App {
  const content = h('div', { class: 'vd-app' })
  const said = messages()
  const keys = help()
  const list = h('div', {})
  const switcher = dialog('cubes', 'Open a cube', list)
  root.replaceChildren(content, said.element, keys.element, switcher.element)

  let viewer: Viewer | null = null
  let colormaps: readonly string[] = []
  let opening = new AbortController()
  let choosing: Chooser | undefined
  let rereading: Viewer | undefined
  let refused = ''
  const address = createAddress((hash) => {
    // Back to an address without a fragment is back to what the page was first asked for.
    const link = linkOfPage(location.search, hash)
    void (link ? follow(link) : choose())
  })

  const page = (title: string, ...children: HTMLElement[]): void => {
    viewer?.destroy()
    viewer = null
    content.replaceChildren(
      h('main', { class: 'vd-page' }, h('h1', {}, 'VisiOmatic'), h('h2', {}, title), ...children),
    )
  }
  /** Another list in the place of the one before. */
  const chooserOf = (folder: string, picked: () => void): HTMLElement => {
    choosing?.stop()
    choosing = chooser(client, { folder, current: viewer?.cube.name, picked })
    return choosing.element
  }

  const show = (cube: Cube, link: Link): void => {
    viewer?.destroy()
    document.title = `${cube.object || cube.name} – VisiOmatic`
    const current = createViewer(content, client, cube, styleOfLink(link.keys, cube), {
      say: said.say,
      help: keys.open,
      colormaps,
      moved: () =>
        address.write(() => formatHash(cube, current.session.store.get().style, current.map.placement())),
      stale: () => void again('changed'),
      gone: () => void again('gone'),
      switchCube: offer,
      chooseLayer: (layer) => void chooseLayer(layer),
      copyLink: () => void copyLink(),
    })
    viewer = current
    const width = content.querySelector('#map')?.clientWidth ?? 0
    const zoom = zoomOfFov(link.keys.get('fov'), cube, width, current.map.maxLevel)
    const place = placeOf(link, cube)
    if (place) current.setView(place)
    else if (zoom !== undefined) current.setView({ ...current.map.placement(), zoom })
  }

  const open = async (link: Link): Promise<void> => {
    opening.abort()
    const mine = new AbortController()
    opening = mine
    said.keep(null)
    if (!viewer) page(link.cube, h('p', { class: 'vd-note' }, 'Opening…'))
    const ref = link.layer ? { name: link.cube, layer: link.layer } : { name: link.cube }
    const [cube, maps] = await Promise.all([
      client.cube(ref, {
        signal: mine.signal,
        onRetry: (error) =>
          said.keep(error.kind === 'http' && isUnderWay(error) ? `${error.message}…` : null),
      }),
      colormaps.length > 0 ? null : client.colormaps(mine.signal),
    ])
    if (mine.signal.aborted) return
    said.keep(null)
    if (maps?.ok) colormaps = maps.value
    if (cube.ok) return show(cube.value, link)
    said.say(`${link.cube}: ${describe(cube.error)}`)
    // A cube on the screen is better than a list; without one, the list is where to go on.
    if (!viewer) await choose(link.cube)
  }

  /** The layer is another, the place stays: layers lie over one another, as a mask lies over its image. */
  const chooseLayer = async (layer: string): Promise<void> => {
    if (!viewer) return
    await open(linkOfLayer(viewer.cube, viewer.session.store.get().style, viewer.map.placement(), layer))
    // The panel is another one: whoever goes through the layers by keyboard goes on where they were.
    content.querySelector<HTMLSelectElement>('#layer')?.focus()
  }

  /** Another cube is opened; another view of the same one is taken over as it is. */
  const follow = async (link: Link): Promise<void> => {
    const same = viewer && viewer.cube.name === link.cube && (!link.layer || viewer.cube.layer === link.layer)
    if (!viewer || !same || !link.position) return open(link)
    viewer.setStyle(styleOfLink(link.keys, viewer.cube))
    viewer.setView(link.position)
  }

  /** The file is another, or gone: the new one is shown in the same place, as soon as there is one. */
  const again = async (reason: Reason): Promise<void> => {
    const before = viewer
    // Every tile says it; once is enough. And a server that refuses what it has just told us would keep us
    // reading for ever.
    if (!before || rereading === before || before.cube.fingerprint === refused) return
    rereading = before
    const { cube } = before
    const { signal } = opening
    if (reason === 'changed') said.say('The file changed on the server: reading it anew.')
    let told = false
    const isNew = await reread(cube.fingerprint, reason, {
      describe: async () => {
        const answer = await client.cube(before.session.ref(), { signal })
        // The layer may have gone with the old file.
        const isRefused = !answer.ok && answer.error.kind === 'http' && answer.error.status === 400
        return isRefused ? client.cube({ name: cube.name }, { signal }) : answer
      },
      wanted: () => viewer === before && !signal.aborted,
      gone: () => {
        before.hold('gone')
        if (!told) said.say(`${cube.name} is no longer on the server. What has been loaded stays here.`)
        told = true
      },
      show: (now) => {
        const link = parseHash(formatHash(cube, before.session.store.get().style, before.map.placement()))
        if (!link) return
        const { position, ...rest } = link
        const size = { width: now.width, height: now.height, maxLevel: now.levels.length - 1 }
        const kept = position && carryOver(position, before.map, size)
        show(now, { ...rest, ...(kept ? { position: kept } : {}) })
      },
      sleep: (ms) => new Promise((resolve) => window.setTimeout(resolve, ms)),
    })
    if (!isNew) refused = cube.fingerprint
    if (rereading === before) rereading = undefined
  }

  /** The list as a page of its own. */
  const choose = async (missing?: string): Promise<void> => {
    page('Cubes', h('p', { class: 'vd-note' }, 'Loading the list…'))
    const answer = await client.folder('', {}, opening.signal)
    if (!answer.ok) {
      if (answer.error.kind !== 'aborted') said.say(describe(answer.error))
      const retry = textButton('Try again', () => void choose(missing))
      return page('Cubes', h('p', { class: 'vd-note' }, 'The list of cubes cannot be had right now.'), retry)
    }
    const [only, ...others] = answer.value.entries.filter((entry) => entry.pending || entry.kind !== 'other')
    const isAll = others.length === 0 && answer.value.next === null
    if (only?.kind === 'cube' && isAll && only.name !== missing)
      return open({ cube: only.name, keys: new URLSearchParams(location.search) })
    page(
      'Cubes',
      chooserOf('', () => {}),
    )
  }

  /** The list over the picture. */
  const offer = (): void => {
    list.replaceChildren(chooserOf(folderOf(viewer?.cube.name ?? ''), switcher.close))
    switcher.open()
  }

  const copyLink = async (): Promise<void> => {
    if (!viewer) return
    const hash = formatHash(viewer.cube, viewer.session.store.get().style, viewer.map.placement())
    const url = new URL(`#${hash}`, location.href.replace(/[?#].*$/, '')).href
    try {
      await navigator.clipboard.writeText(url)
      said.say('The link is in the clipboard.')
    } catch {
      // Plain HTTP has no clipboard; the address bar holds the same link.
      said.say('Copy the address of this page: it is the link.')
    }
  }

  const first = linkOfPage(location.search, location.hash)
  void (first ? open(first) : choose())
  return {
    get viewer() {
      return viewer
    },
  }
}
