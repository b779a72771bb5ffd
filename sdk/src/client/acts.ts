import type { Act as WireAct } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal, date } from '../arguments/rules.ts'
import type { Calls } from './calls.ts'
import { textUpTo, wholeWithin } from './limit-rules.ts'

/** What an operator or administrator did on what is not theirs, or on the place as a whole (row P7). */
export interface Act {
  /** When, by the database's clock. */
  readonly time?: Date
  readonly user: string
  /** The roles they had then. */
  readonly roles: readonly string[]
  /** Where the call came from, host and port. */
  readonly peer: string
  /** What was called, such as `JobService.CancelJob`. */
  readonly call: string
  readonly namespace: string
  /** What it was done to: ids of jobs, names of methods, a session; at most the first 1,000. */
  readonly targets: readonly string[]
  /** Whose that is; empty for what nobody owns. */
  readonly owners: readonly string[]
  /** `OK`, or `UNCHANGED` where it was so already. */
  readonly outcome: string
}

/** Which acts are listed. */
export interface ListActsOptions {
  /** Only those of this user. */
  readonly user?: string
  /** Only those at or after this time. */
  readonly from?: Date
  /** Only those before this time. */
  readonly before?: Date
  /** Read at once, 1 to 1,000. Default 50. */
  readonly pageSize?: number
  readonly signal?: AbortSignal
}

const RULES: Rules<ListActsOptions> = {
  user: textUpTo(LIMITS.ownerCharactersMax),
  from: date,
  before: date,
  pageSize: wholeWithin(1, LIMITS.pageSizeMax),
  signal: abortSignal,
}

export async function* listActs(
  calls: Calls,
  options: ListActsOptions,
): AsyncGenerator<Act, void, undefined> {
  checkOptions('listActs', options, RULES)
  const { user = '', from: timeFrom, before: timeBefore, pageSize = 0, signal } = options
  const { namespaces } = calls.connection
  const { namespace } = calls.identity
  const call = namespaces.listActs.bind(namespaces)
  for (let pageToken = ''; ; ) {
    const request = { namespace, user, timeFrom, timeBefore, pageSize, pageToken }
    const page = await calls.callScheduler(call, request, { signal })
    yield* page.acts.map(actFrom)
    pageToken = page.nextPageToken
    if (pageToken === '') return
  }
}

/** The same of temp values and scopes, as the storage service has it. */
export async function* listValueActs(
  calls: Calls,
  options: ListActsOptions,
): AsyncGenerator<Act, void, undefined> {
  checkOptions('listValueActs', options, RULES)
  const { user = '', from: timeFrom, before: timeBefore, pageSize = 0, signal } = options
  const { values } = calls.connection
  const { namespace } = calls.identity
  const call = values.listActs.bind(values)
  for (let pageToken = ''; ; ) {
    const request = { namespace, user, timeFrom, timeBefore, pageSize, pageToken }
    const page = await calls.callStorage(call, request, { signal })
    for (const { target, owner, ...act } of page.acts) {
      yield actFrom({ ...act, targets: [target], owners: [owner], outcome: 'OK' })
    }
    pageToken = page.nextPageToken
    if (pageToken === '') return
  }
}

function actFrom({ actTime, ...act }: WireAct): Act {
  return { time: actTime, ...act }
}
