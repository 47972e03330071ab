// Cuts that have to be asked of the server. At most one question is open: a later one supersedes it.

import type { Cuts } from '../api/wire'
import { describe } from '../core/errors'
import { monoCuts, withDefaultCuts } from '../style/cuts'
import type { Method } from '../style/style'
import type { Session } from './session'

export interface Cutting {
  /** Finds cuts by this method, for what is shown. */
  choose(method: Method): Promise<void>
  reset(): void
  readonly busy: boolean
  stop(): void
}

export function createCutting(session: Session): Cutting {
  const { store, client } = session
  let controller: AbortController | undefined

  /** Null when the server has none; undefined when nobody waits for them any more. */
  const ask = async (channels: readonly number[], method: string): Promise<Cuts[] | null | undefined> => {
    controller?.abort()
    const mine = new AbortController()
    controller = mine
    const answers = await Promise.all(
      channels.map((channel) => client.cuts(session.ref(), channel, method, mine.signal)),
    )
    if (mine.signal.aborted) return undefined
    controller = undefined
    const found: Cuts[] = []
    for (const answer of answers) {
      if (!answer.ok) {
        session.say(`No cuts: ${describe(answer.error)}`)
        return null
      }
      found.push(answer.value)
    }
    return found
  }

  const mono = async (method: Method): Promise<void> => {
    const { style, cube } = store.get()
    const { channel, shared } = style
    const found = await ask([channel], method)
    if (found === undefined) return
    const cuts = found?.[0]
    // A picture with the default cuts is better than none.
    const fallback = cube.cuts[channel] ?? cube.cube_cuts ?? ([0, 1] as const)
    const now = store.get().style
    if (shared !== now.shared) return
    if (shared) {
      if (cuts) session.change({ method, pinned: cuts })
    } else {
      session.change({ method, own: { ...now.own, [channel]: cuts ?? fallback } })
    }
  }

  // Channels may each have cuts of their own; those of the one just reached may not be known yet.
  const unsubscribe = store.subscribe(({ style, cube }, previous) => {
    if (style.mode !== 'mono' || monoCuts(style, cube)) return
    const same = previous.style.channel === style.channel && previous.style.method === style.method
    if (!same || controller === undefined) void mono(style.method)
  })

  return {
    async choose(method) {
      if (method === 'manual') return
      const { style } = store.get()
      if (method === 'mad') return this.reset()
      if (style.mode === 'color') {
        const found = await ask(
          style.mix.map((entry) => entry.channel),
          method,
        )
        const mix = store.get().style.mix.map((entry) => {
          const at = style.mix.findIndex((one) => one.channel === entry.channel)
          return { ...entry, cuts: found?.[at] ?? entry.cuts }
        })
        if (found) session.change({ mix })
      } else if (style.shared) await mono(method)
      // The listener above asks for the shown channel.
      else session.change({ method, own: {} })
    },
    reset() {
      controller?.abort()
      controller = undefined
      session.change(withDefaultCuts(store.get().style))
    },
    get busy() {
      return controller !== undefined
    },
    stop() {
      controller?.abort()
      unsubscribe()
    },
  }
}
