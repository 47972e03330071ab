// One request: fetch, made to answer with a Result, and tried again while that may help.

import { delay, parseRetryAfter } from '../core/backoff'
import { type ClientError, fail, isTransient, isUnderWay, ok, type Result } from '../core/errors'
import { errorMessage, errorProgress } from './wire'

export interface Transport {
  fetch: typeof fetch
  sleep(seconds: number, signal: AbortSignal): Promise<void>
  random(): number
}

export interface RequestOptions {
  signal: AbortSignal
  /**
   * How many times to try again; tiles never give up while they are wanted. Answers that say how far the server
   * is with it do not count.
   */
  retries?: number
  /** Told before every wait. */
  onRetry?: (error: ClientError) => void
}

/** Resolves after the time or, early, on abort or when the browser says that the network is back. */
export function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      globalThis.removeEventListener?.('online', done)
      resolve()
    }
    const timer = setTimeout(done, seconds * 1000)
    signal.addEventListener('abort', done)
    globalThis.addEventListener?.('online', done)
  })
}

export const browserTransport: Transport = {
  fetch: (input, init) => fetch(input, init),
  sleep,
  random: Math.random,
}

async function errorOf(response: Response): Promise<ClientError> {
  const body: unknown = await response.json().catch(() => undefined)
  const message = errorMessage(body) || response.statusText || 'the server refused'
  if (response.status === 409) return { kind: 'stale', message }
  const retryAfter = parseRetryAfter(response.headers.get('Retry-After'), Date.now())
  const progress = errorProgress(body)
  return {
    kind: 'http',
    status: response.status,
    message,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(progress === undefined ? {} : { progress }),
  }
}

async function once<T>(
  transport: Transport,
  url: string,
  read: (response: Response) => Promise<Result<T>>,
  signal: AbortSignal,
): Promise<Result<T>> {
  try {
    const response = await transport.fetch(url, { signal })
    if (!response.ok) return fail(await errorOf(response))
    return await read(response)
  } catch (error) {
    if (signal.aborted) return fail({ kind: 'aborted' })
    return fail({ kind: 'network', message: error instanceof Error ? error.message : String(error) })
  }
}

/** `read` turns the response into the value; the body is read within the same attempt, for it may break too. */
export async function request<T>(
  transport: Transport,
  url: string,
  read: (response: Response) => Promise<Result<T>>,
  { signal, retries = 3, onRetry }: RequestOptions,
): Promise<Result<T>> {
  for (let attempt = 0; ; ) {
    if (signal.aborted) return fail({ kind: 'aborted' })
    const result = await once(transport, url, read, signal)
    if (signal.aborted) return fail({ kind: 'aborted' })
    if (result.ok || !isTransient(result.error)) return result
    const underWay = isUnderWay(result.error)
    if (attempt >= retries && !underWay) return result
    onRetry?.(result.error)
    const retryAfter = result.error.kind === 'http' ? result.error.retryAfter : undefined
    await transport.sleep(delay(underWay ? 0 : attempt, transport.random, retryAfter), signal)
    if (!underWay) attempt += 1
  }
}

export const readJson =
  <T>(parse: (json: unknown) => Result<T>) =>
  async (response: Response): Promise<Result<T>> => {
    const body = await response.text()
    try {
      return parse(JSON.parse(body))
    } catch {
      return fail({ kind: 'protocol', message: 'not JSON' })
    }
  }

export const readTile = async (response: Response): Promise<Result<{ blob: Blob; preview: boolean }>> =>
  ok({ blob: await response.blob(), preview: response.headers.get('X-Visiomatic-Quality') === 'preview' })
