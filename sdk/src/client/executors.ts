import type { Executor } from '@offstage/proto/jobs'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal } from '../arguments/rules.ts'
import type { LaneName } from '../jobs/method.ts'
import { laneNameFrom } from '../jobs/policies.ts'
import type { Calls } from './calls.ts'

/** An executor that is attached, as every replica of the scheduler knows it. */
export interface ExecutorInfo {
  readonly sessionId: string
  readonly name: string
  /** What it says it is, and its version. */
  readonly software: string
  readonly labels: Readonly<Record<string, string>>
  /** The replica of the scheduler it is attached to. */
  readonly scheduler: string
  readonly lanes: readonly {
    readonly lane: LaneName
    readonly slots: number
    /** How many jobs hold one now. */
    readonly used: number
  }[]
  /** The names of the methods it runs, in order. */
  readonly methods: readonly string[]
  /** The pools it serves, the default one as `default` (row J21). */
  readonly pools: readonly string[]
  /** The versions of its methods, by their names, of those that have one. */
  readonly versions: Readonly<Record<string, string>>
  readonly attachTime?: Date
  /** Nothing was heard of it for a lease: unless it is heard now, its jobs go back into the queue. */
  readonly inDoubt: boolean
  /** It takes no new work. */
  readonly draining: boolean
}

export interface ExecutorsOptions {
  readonly signal?: AbortSignal
}

const RULES: Rules<ExecutorsOptions> = { signal: abortSignal }

export async function* listExecutors(
  calls: Calls,
  options: ExecutorsOptions,
): AsyncGenerator<ExecutorInfo, void, undefined> {
  checkOptions('listExecutors', options, RULES)
  const { namespaces } = calls.connection
  const { namespace } = calls.identity
  const call = namespaces.listExecutors.bind(namespaces)
  for (let pageToken = ''; ; ) {
    const request = { namespace, pageSize: 0, pageToken }
    const page = await calls.callScheduler(call, request, options)
    yield* page.executors.map(executorFrom)
    pageToken = page.nextPageToken
    if (pageToken === '') return
  }
}

function executorFrom({ lanes, ...executor }: Executor): ExecutorInfo {
  return {
    ...executor,
    lanes: lanes.map(({ lane, ...of }) => ({ lane: laneNameFrom(lane), ...of })),
  }
}
