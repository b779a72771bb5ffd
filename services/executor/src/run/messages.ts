import { LIMITS } from '@offstage/proto/limits'
import type { JobContext } from '@offstage/sdk/jobs'
import type { AttemptKey, MessageNote } from '../domain/attempt.ts'
import { checkExtra } from './extra.ts'
import { now } from './own-copies.ts'
import type { Reporter } from './reporter.ts'
import type { WrappedReports } from './wrapped-reports.ts'

const SEVERITIES: readonly unknown[] = [
  'info',
  'warning',
  'error',
] satisfies MessageNote['severity'][]
/** As many as are kept of one attempt while the scheduler does not read. */
const AT_ONCE_MAX = 10_000
const PER_MS = 1
/** A long message counts as several: once more for each of so many characters. */
const CHARACTERS_OF_ONE = 400
/** There is room again when there is some for a while, so that what was left out is said seldom. */
const ROOM_AGAIN = 1_000

/**
 * The messages of one attempt (row J15), in order. A handler in a loop can say more than its executor can pass on beside its leases and the
 * jobs of others, so there is a rate; what is over it is left out, and how much that was is said where it was.
 */
export class Messages {
  readonly #key: AttemptKey
  readonly #reporter: Pick<Reporter, 'message'>
  readonly #reports: Pick<WrappedReports, 'told'>
  #said = 0
  #leftOut = 0
  #room = AT_ONCE_MAX
  #roomAt = now()
  #isFull = false

  constructor(
    key: AttemptKey,
    reporter: Pick<Reporter, 'message'>,
    reports: Pick<WrappedReports, 'told'>,
  ) {
    this.#key = key
    this.#reporter = reporter
    this.#reports = reports
  }

  /** @throws TypeError that names `severity` or `extra` */
  say(text: string, { severity = 'info', extra }: Parameters<JobContext['message']>[1] = {}): void {
    if (!SEVERITIES.includes(severity)) {
      throw new TypeError('severity must be info, warning or error')
    }
    const checked = extra === undefined ? {} : { extra: checkExtra(extra) }
    const cut = text.slice(0, LIMITS.messageTextCharactersMax)
    const characters = cut.length + (extra === undefined ? 0 : JSON.stringify(checked.extra).length)
    if (!this.#hasRoom(1 + characters / CHARACTERS_OF_ONE)) this.#leftOut += 1
    else {
      this.flush()
      this.#send(severity, { text: cut, ...checked })
    }
  }

  /** Says what was left out. */
  flush(): void {
    if (this.#leftOut === 0) return
    const text = `${this.#leftOut} messages were left out here: too many at once`
    this.#leftOut = 0
    this.#send('warning', { text })
  }

  #hasRoom(count: number): boolean {
    const at = now()
    this.#room = Math.min(AT_ONCE_MAX, this.#room + (at - this.#roomAt) * PER_MS)
    this.#roomAt = at
    this.#isFull = this.#room < (this.#isFull ? ROOM_AGAIN : count)
    if (!this.#isFull) this.#room -= count
    return !this.#isFull
  }

  #send(severity: MessageNote['severity'], message: Parameters<WrappedReports['told']>[0]): void {
    const told = this.#reports.told(message)
    this.#said += 1
    this.#reporter.message(this.#key, { number: this.#said, severity, ...told })
  }
}
