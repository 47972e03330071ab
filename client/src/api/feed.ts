// One WebSocket of events for the page, opened when somebody wants to hear, and opened again when it breaks.

import { delay } from '../core/backoff'
import { type Clock, systemClock } from '../core/pacer'
import { type Building, isSame, parseEvent, type Region, type ServerEvent, type Watched } from './events'
import type { Urls } from './urls'

/** Whether exact pictures are announced: `none` while there is no connection; `final`: here previews stay what they are. */
export type Hearing = 'live' | 'none' | 'final'

export interface Listener {
  hearing(state: Hearing): void
  /** Nobody knows what has been missed: every preview may be exact by now. */
  anew(): void
  exact(region: Region): void
  /** Null where that is not known any more. */
  building(progress: Building | null): void
  built(): void
  failed(message: string): void
}

export interface Feed {
  /** Listens to one layer, and to no other any more; returns what ends it. */
  watch(watched: Watched, listener: Listener): () => void
}

/** An open connection. */
export interface Socket {
  send(text: string): void
  close(): void
}

export interface FeedHost {
  /** Told of messages, and of the end with its code; throws where none may be opened. */
  open(url: string, message: (data: unknown) => void, closed: (code: number) => void): Socket
  random(): number
  readonly clock: Clock
}

const browserHost: FeedHost = {
  open(url, message, closed) {
    const socket = new WebSocket(url)
    socket.onmessage = (event) => message(event.data)
    socket.onclose = (event) => closed(event.code)
    return socket
  },
  random: Math.random,
  clock: systemClock,
}

/** What is looked at next will want the socket, too. In ms. */
const LINGER = 10_000
/** From then on nobody expects it to open: a proxy may not let it through. */
const FAILURES = 6
const HOPELESS = 60
/** Close codes: 4000 and the status that the error has over HTTP. */
const isRefusal = (code: number): boolean => code >= 4400 && code < 4500

export function createFeed(urls: Urls, host: FeedHost = browserHost): Feed {
  const { clock } = host
  let current: { readonly watched: Watched; readonly listener: Listener } | undefined
  let socket: Socket | undefined
  /** What the server was last told to watch, over this socket. */
  let asked: Watched | undefined
  /** Whether it has said since that it does: before that it is told nothing else. */
  let answered = false
  /** Whether what comes is what is wanted now. */
  let greeted = false
  /** The last event that was heard of what is watched: where to go on after a break. */
  let since: string | undefined
  let resuming = false
  let boot = ''
  let failures = 0
  let timer: number | undefined

  const rest = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer)
    timer = undefined
  }
  const retry = (): void => {
    const seconds = failures < FAILURES ? delay(failures, host.random) : HOPELESS
    failures += 1
    timer = clock.setTimeout(connect, seconds * 1000)
  }

  const hello = (event: ServerEvent & { type: 'hello' }): void => {
    boot = event.boot
    failures = 0
    answered = true
    if (!current || !asked) return
    // Somebody wants to hear something else by now.
    if (!isSame(asked, current.watched)) {
      tell(current.watched)
      return
    }
    greeted = true
    // A hello that answers `since` does not count as heard: the reset that may follow would be lost with the socket.
    if (!resuming) since = `${boot}.${event.id}`
    current.listener.hearing(event.builds ? 'live' : 'final')
    if (!resuming) current.listener.anew()
  }
  const tell = (watched: Watched): void => {
    asked = watched
    answered = false
    resuming = false
    socket?.send(JSON.stringify({ watch: watched }))
  }
  const hear = (event: Exclude<ServerEvent, { type: 'hello' }>): void => {
    if (!current || !greeted || !isSame(event.watched, current.watched)) return
    since = `${boot}.${event.id}`
    const { listener } = current
    if (event.type === 'exact') listener.exact(event.region)
    else if (event.type === 'building') listener.building(event.progress)
    else if (event.type === 'built') listener.built()
    else if (event.type === 'failed') listener.failed(event.message)
    else listener.anew()
  }
  const lost = (code: number): void => {
    const before = asked
    socket = undefined
    greeted = false
    rest()
    if (!current) return
    current.listener.hearing('none')
    current.listener.building(null)
    // What the server refuses it will refuse again; but perhaps it was asked for something else.
    if (!isRefusal(code) || (before && !isSame(before, current.watched))) retry()
  }
  const connect = (): void => {
    rest()
    if (!current) return
    asked = current.watched
    answered = false
    resuming = since !== undefined
    let opened: Socket | undefined
    const isOurs = (): boolean => socket === opened
    try {
      opened = host.open(
        urls.events(current.watched, since),
        (data) => {
          const event = isOurs() ? parseEvent(data) : null
          if (event?.type === 'hello') hello(event)
          else if (event) hear(event)
        },
        (code) => isOurs() && lost(code),
      )
    } catch {
      // A policy of the page forbids it: as good as a proxy that does.
      retry()
    }
    socket = opened
  }
  const close = (): void => {
    rest()
    const open = socket
    socket = undefined
    open?.close()
  }

  return {
    watch(watched, listener) {
      const mine = { watched, listener }
      current = mine
      since = undefined
      resuming = false
      greeted = false
      if (!socket) {
        failures = 0
        connect()
      } else {
        rest()
        // Else it is told after that answer.
        if (answered) tell(watched)
      }
      return () => {
        if (current !== mine) return
        current = undefined
        rest()
        timer = clock.setTimeout(close, LINGER)
      }
    },
  }
}
