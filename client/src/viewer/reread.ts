// What becomes of a picture whose file is another now, or gone: its description is asked for until there is
// a new one. What is on the screen stays there meanwhile.

import type { Cube } from '../api/wire'
import type { ClientError, Result } from '../core/errors'

/** Why a cube is read anew. */
export type Reason = 'changed' | 'gone'

export interface RereadHost {
  /** The description as it is now. */
  describe(): Promise<Result<Cube>>
  /** Whether somebody still looks at the old picture. */
  wanted(): boolean
  /** There is no such cube any more, at least for now. */
  gone(): void
  show(cube: Cube): void
  sleep(ms: number): Promise<void>
}

/** Of several servers on one port, another may take a second to see what one has seen. */
const TRIES = 3
const PAUSE = 1500
/** A file that is being written anew is back in a moment; one that was deleted may never be. */
const MISSING = 5000

export const isMissing = (error: ClientError): boolean => error.kind === 'http' && error.status === 404

/** Resolves with whether there is a new picture, or nobody waits for one any more. */
export async function reread(fingerprint: string, reason: Reason, host: RereadHost): Promise<boolean> {
  let missing = reason === 'gone'
  for (let tries = 0; tries < TRIES; ) {
    const answer = await host.describe()
    if (!host.wanted()) return true
    if (answer.ok && (missing || answer.value.fingerprint !== fingerprint)) {
      host.show(answer.value)
      return true
    }
    if (!answer.ok && answer.error.kind === 'aborted') return true
    if (!answer.ok && isMissing(answer.error)) {
      missing = true
      host.gone()
    } else tries += 1
    await host.sleep(missing ? MISSING : PAUSE)
    if (!host.wanted()) return true
  }
  return false
}
