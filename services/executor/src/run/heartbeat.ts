// As in reporter.ts.
import { clearTimeout, setTimeout } from 'node:timers'
import { LIMITS } from '@offstage/proto/limits'
import type { AttemptKey, HeartbeatData } from '../domain/attempt.ts'
import { jsonOf } from './extra.ts'
import { now } from './own-copies.ts'
import type { Reporter } from './reporter.ts'
import type { WrappedReports } from './wrapped-reports.ts'

/** Between two heartbeats of one attempt. */
const INTERVAL_MS = 100

/**
 * The heartbeats of one attempt (row J17): cheap enough for inner loops, because at most one leaves per interval. Of the data
 * the newest leaves, the last before the attempt's end.
 */
export class Heartbeat {
  readonly #key: AttemptKey
  readonly #reporter: Reporter
  readonly #reports: WrappedReports
  #data: HeartbeatData | undefined
  #sentAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(key: AttemptKey, reporter: Reporter, reports: WrappedReports) {
    this.#key = key
    this.#reporter = reporter
    this.#reports = reports
  }

  /** @throws TypeError that names `data`, when it is too large or JSON cannot hold it */
  beat(data: unknown): void {
    if (data !== undefined) this.#data = this.#reports.heartbeat(textOf(data))
    const waitMs = this.#sentAt + INTERVAL_MS - now()
    if (waitMs <= 0) this.#send()
    else if (data !== undefined) this.#timer ??= setTimeout(() => this.#send(), waitMs).unref()
  }

  /** Sends the data that has not been sent. */
  flush(): void {
    if (this.#data !== undefined) this.#send()
  }

  #send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#sentAt = now()
    this.#reporter.heartbeat(this.#key, this.#data)
    this.#data = undefined
  }
}

function textOf(data: unknown): string {
  const text = jsonOf('data', data)
  if (text === undefined) throw new TypeError('data is nothing JSON can hold')
  const bytes = Buffer.byteLength(text)
  if (bytes <= LIMITS.inlineBytesMax) return text
  throw new TypeError(`data has ${bytes} bytes as JSON, more than ${LIMITS.inlineBytesMax}`)
}
