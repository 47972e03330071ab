// Folders and cubes, to choose one from. Cubes are links: they open in another tab as any link does.

import type { Client } from '../api/client'
import type { FolderEntry, FolderPage } from '../api/wire'
import { describe } from '../core/errors'
import { formatBytes } from '../core/format'
import { createPacer } from '../core/pacer'
import { type Part, textButton } from './controls'
import { h } from './dom'

export interface ChooserOptions {
  /** The folder to begin with; the top where it is gone. */
  readonly folder: string
  /** The cube on the screen. */
  readonly current?: string | undefined
  picked(): void
}

export interface Chooser extends Part {
  stop(): void
}

/** Milliseconds until what the server is still looking at is asked for again. */
const AGAIN = 700
/** Typing is not to ask for a list with every letter. */
const TYPING = { interval: 200, patience: 1000 }

const baseName = (name: string): string => name.slice(name.lastIndexOf('/') + 1)
export const folderOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('/')))

/** People say x × y × channels; the array is the other way round. */
export function shapeText({ layers }: FolderEntry): string {
  const first = layers?.[0]
  if (!first) return ''
  const more = (layers?.length ?? 0) - 1
  return [...first.shape].reverse().join(' × ') + (more > 0 ? ` +${more}` : '')
}

function row(entry: FolderEntry, current: string | undefined, options: ChooserOptions, enter: () => void) {
  const isFolder = entry.kind === 'folder'
  const cells = [
    h(
      'span',
      { class: 'vd-list-name' },
      baseName(entry.name) + (isFolder ? '/' : ''),
      entry.error ? h('span', { class: 'vd-list-error' }, entry.error) : null,
    ),
    h('span', { class: 'vd-list-type' }, entry.format ?? (isFolder ? 'Folder' : '')),
    h('span', { class: 'vd-list-size' }, entry.size === null ? '' : formatBytes(entry.size)),
    h(
      'span',
      { class: 'vd-list-shape', title: entry.layers?.map((one) => `${one.name} ${one.dtype}`).join('\n') },
      entry.pending ? '…' : shapeText(entry),
    ),
  ]
  if (isFolder) return h('button', { type: 'button', class: 'vd-list-row', onclick: enter }, ...cells)
  if (entry.kind === 'other' && !entry.pending)
    return h('span', { class: 'vd-list-row', 'aria-disabled': 'true' }, ...cells)
  return h(
    'a',
    {
      class: 'vd-list-row',
      href: `#cube=${encodeURIComponent(entry.name).replace(/%2F/g, '/')}`,
      onclick: () => options.picked(),
      'aria-current': entry.name === current ? 'true' : undefined,
    },
    ...cells,
  )
}

export function chooser(client: Pick<Client, 'folder'>, options: ChooserOptions): Chooser {
  let path = options.folder
  let controller = new AbortController()
  let next: number | null = null
  let items: HTMLElement[] = []
  const timers = new Set<number>()

  const crumbs = h('nav', { class: 'vd-crumbs', 'aria-label': 'Folder' })
  const search = h('input', {
    type: 'search',
    id: 'cube-filter',
    placeholder: 'Filter by name',
    'aria-label': 'Filter by name',
    oninput: () => typed.offer(search.value.trim(), false),
  })
  const list = h('ul', {
    class: 'vd-list',
    id: 'cube-list',
    'aria-label': 'Cubes',
    onkeydown: (event) => move(event as KeyboardEvent),
  })
  const note = h('p', { class: 'vd-note', role: 'status' })
  const more = textButton('Show more', () => void load(), 'more-cubes')
  const head = h(
    'div',
    { class: 'vd-list-head', 'aria-hidden': 'true' },
    ...['Name', 'Type', 'Size', 'Shape'].map((title) => h('span', {}, title)),
  )
  const element = h('div', { class: 'vd-chooser' }, crumbs, search, head, list, note, more)
  const typed = createPacer<string>(() => start(path), TYPING)

  const cancel = (): void => {
    controller.abort()
    for (const timer of timers) window.clearTimeout(timer)
    timers.clear()
  }
  const enter = (folder: string): void => {
    search.value = ''
    start(folder)
    search.focus()
  }
  const crumb = (title: string, folder: string): HTMLElement =>
    h(
      'button',
      {
        type: 'button',
        onclick: () => enter(folder),
        'aria-current': folder === path ? 'location' : undefined,
      },
      title,
    )
  const showCrumbs = (): void => {
    const parts = path === '' ? [] : path.split('/')
    crumbs.replaceChildren(
      crumb('All cubes', ''),
      ...parts.flatMap((part, index) => [
        h('span', { 'aria-hidden': 'true' }, '/'),
        crumb(part, parts.slice(0, index + 1).join('/')),
      ]),
    )
  }
  const itemOf = (entry: FolderEntry): HTMLElement =>
    h(
      'li',
      { 'data-kind': entry.kind },
      row(entry, options.current, options, () => enter(entry.name)),
    )

  /** Puts entries where they belong, also over those that were pending; the focus stays where it was. */
  const put = (page: FolderPage): void => {
    for (const [index, entry] of page.entries.entries()) {
      const item = itemOf(entry)
      const before = items[page.offset + index]
      items[page.offset + index] = item
      const focused = before?.contains(document.activeElement)
      if (before) before.replaceWith(item)
      else list.append(item)
      if (focused) (item.firstElementChild as HTMLElement | null)?.focus()
    }
    if (!page.entries.some((entry) => entry.pending)) return
    const { signal } = controller
    const timer = window.setTimeout(() => {
      timers.delete(timer)
      void fetchPage(page.offset, Math.max(1, page.entries.length), signal).then(
        (again) => again && put(again),
      )
    }, AGAIN)
    timers.add(timer)
  }

  const fetchPage = async (
    offset: number,
    limit: number | undefined,
    signal: AbortSignal,
  ): Promise<FolderPage | null> => {
    const answer = await client.folder(
      path,
      { offset, contains: search.value.trim(), ...(limit === undefined ? {} : { limit }) },
      signal,
    )
    if (signal.aborted) return null
    typed.idle()
    if (answer.ok) return answer.value
    // The folder of a cube may have gone with it.
    if (answer.error.kind === 'http' && answer.error.status === 404 && path !== '') start('')
    else if (answer.error.kind !== 'aborted') note.textContent = describe(answer.error)
    return null
  }

  const load = async (): Promise<void> => {
    const offset = items.length
    more.hidden = true
    const page = await fetchPage(offset, undefined, controller.signal)
    if (!page || page.offset !== items.length) return
    if (offset === 0) list.replaceChildren()
    put(page)
    next = page.next
    more.hidden = next === null
    list.hidden = items.length === 0
    note.textContent =
      items.length === 0
        ? search.value.trim() !== ''
          ? 'Nothing here has such a name.'
          : path === ''
            ? 'There is no cube below the data roots of this server.'
            : 'This folder is empty.'
        : page.truncated
          ? 'There is more in this folder than can be listed.'
          : ''
  }

  function start(folder: string): void {
    cancel()
    controller = new AbortController()
    path = folder
    items = []
    next = null
    more.hidden = true
    note.textContent = ''
    showCrumbs()
    void load()
  }

  /** Up and down, as in any list. */
  const move = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const rows = [...list.querySelectorAll<HTMLElement>('a, button')]
    const at = rows.indexOf(document.activeElement as HTMLElement)
    if (step < 0 && at <= 0) search.focus()
    else rows[at + step]?.focus()
  }
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown') return
    event.preventDefault()
    list.querySelector<HTMLElement>('a, button')?.focus()
  })
  let observer: IntersectionObserver | null = null
  if ('IntersectionObserver' in window) {
    observer = new IntersectionObserver((seen) => {
      if (seen.some((one) => one.isIntersecting) && !more.hidden) void load()
    })
    observer.observe(more)
  }
  const stop = (): void => {
    cancel()
    observer?.disconnect()
  }
  start(path)
  return { element, stop }
}
