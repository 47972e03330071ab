// What can go wrong when we ask the server for something, as data: callers switch on `kind`, and a new
// kind that somebody forgot to treat is a compile error.

export type ClientError =
  /** No answer: the server or the network is away. Worth another try. */
  | { kind: 'network'; message: string }
  /** An answer that says no. `retryAfter` is in seconds; `progress`, 0 to 1, of what is under way for us. */
  | { kind: 'http'; status: number; message: string; retryAfter?: number; progress?: number }
  /** The file is no longer the one whose metadata we hold. */
  | { kind: 'stale'; message: string }
  /** Nobody wants the answer any more. Never shown. */
  | { kind: 'aborted' }
  /** An answer that is not what the API promises. */
  | { kind: 'protocol'; message: string }

export type Result<T> = { ok: true; value: T } | { ok: false; error: ClientError }

export const ok = <T>(value: T): Result<T> => ({ ok: true, value })
export const fail = <T = never>(error: ClientError): Result<T> => ({ ok: false, error })

/** Whether the same request may succeed later: network errors, 429 and 5xx, never another 4xx. */
export function isTransient(error: ClientError): boolean {
  switch (error.kind) {
    case 'network':
      return true
    case 'http':
      return error.status === 429 || error.status >= 500
    case 'stale':
    case 'aborted':
    case 'protocol':
      return false
  }
}

/** Whether the server is at work on it: not a failure, however often it says so. */
export const isUnderWay = (error: ClientError): boolean =>
  error.kind === 'http' && error.progress !== undefined

/** One sentence for the person in front of the screen. */
export function describe(error: ClientError): string {
  switch (error.kind) {
    case 'network':
      return `The server cannot be reached (${error.message}).`
    case 'http':
      return error.status === 404 ? `Not found: ${error.message}` : `${error.message} (${error.status})`
    case 'stale':
      return 'The file changed on the server.'
    case 'aborted':
      return 'Cancelled.'
    case 'protocol':
      return `The server sent an unexpected answer: ${error.message}.`
  }
}
