// As in reporter.ts.
import { clearTimeout, setTimeout } from 'node:timers'
import { LIMITS } from '@offstage/proto/limits'
import type { Told } from '@offstage/sdk/jobs'
import type { AttemptKey } from '../domain/attempt.ts'
import { checkExtra } from './extra.ts'
import { now } from './own-copies.ts'
import type { Reporter } from './reporter.ts'
import type { WrappedReports } from './wrapped-reports.ts'

/** Between two reports of one attempt. */
const INTERVAL_MS = 100

/**
 * The progress of one attempt (row J15): cheap enough for inner loops, because at most one report
 * leaves per interval, always the newest. The last one leaves before the attempt's end.
 */
export class Progress {
  readonly #key: AttemptKey
  readonly #reporter: Reporter
  readonly #reports: WrappedReports
  #newest: ({ readonly percent: number } & Told) | undefined
  #revision = 0
  #sentAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(key: AttemptKey, reporter: Reporter, reports: WrappedReports) {
    this.#key = key
    this.#reporter = reporter
    this.#reports = reports
  }

  report(percent: number, text = '', extra?: Record<string, unknown>): void {
    const within = Number.isNaN(percent) ? 0 : Math.min(100, Math.max(0, percent))
    const cut = text.slice(0, LIMITS.progressTextCharactersMax)
    const told = extra === undefined ? { text: cut } : { text: cut, extra: checkExtra(extra) }
    this.#newest = { percent: within, ...this.#reports.told(told) }
    const waitMs = this.#sentAt + INTERVAL_MS - now()
    if (waitMs <= 0) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), waitMs).unref()
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#newest === undefined) return
    this.#revision += 1
    this.#sentAt = now()
    this.#reporter.progress(this.#key, { ...this.#newest, revision: this.#revision })
    this.#newest = undefined
  }
}
