// The panel of one viewer, filled.

import { adjustPanel } from '../ui/adjustPanel'
import { channelPanel } from '../ui/channelPanel'
import { colormapPanel } from '../ui/colormapPanel'
import { cubeCard } from '../ui/cubeCard'
import { cutsPanel } from '../ui/cutsPanel'
import { mixPanel } from '../ui/mixPanel'
import { modeSwitch } from '../ui/modeSwitch'
import { panel } from '../ui/panel'
import type { Cutting } from './cutting'
import type { Player } from './player'
import type { Session } from './session'
import type { Host } from './viewer'

export interface Parts {
  readonly cutting: Cutting
  readonly player: Player
  readonly host: Host
  readonly resized: () => void
}

export interface Controls {
  readonly element: HTMLElement
  readonly opener: HTMLElement
  toggle(): void
  playing(on: boolean): void
}

export function controls(session: Session, { cutting, player, host, resized }: Parts): Controls {
  const { cube } = session.store.get()
  const channels = channelPanel(session, player)
  const frame = panel(
    [
      cubeCard(cube, host).element,
      // With one channel there is nothing to mix.
      ...(cube.channels.length > 1 ? [modeSwitch(session).element] : []),
      channels.element,
      mixPanel(session).element,
      cutsPanel(session, cutting).element,
      colormapPanel(session, host.colormaps).element,
      adjustPanel(session).element,
    ],
    host.help,
    resized,
  )
  return { element: frame.element, opener: frame.opener, toggle: frame.toggle, playing: channels.playing }
}
