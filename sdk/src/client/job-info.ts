import { isFilterFault, parseFilter } from '@offstage/proto/job-filter'
import { type Job, JobKind, type JobFilter as WireFilter } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rule, type Rules } from '../arguments/check-options.ts'
import { abortSignal, date, oneOf, text } from '../arguments/rules.ts'
import { hiddenFrom } from './completion-from.ts'
import type { Progress } from './events.ts'
import { keyRule, keyText } from './job-key.ts'
import {
  type JobStateName,
  type JobStatusName,
  namesOf,
  stateFrom,
  stateNames,
} from './job-state.ts'
import { labelRule, listUpTo, textUpTo, wholeWithin } from './limit-rules.ts'
import type { JobKey } from './options.ts'
import { progressFrom } from './wire-events.ts'

/** What caused a job (row J12). */
export type JobKindName = 'program' | 'system' | 'scheduled'

export const KINDS = {
  program: JobKind.JOB_KIND_PROGRAM,
  system: JobKind.JOB_KIND_SYSTEM,
  scheduled: JobKind.JOB_KIND_SCHEDULED,
} as const satisfies Record<JobKindName, JobKind>

/** A job's record as it was read: a snapshot. Times are the database's. */
export interface JobInfo {
  readonly id: string
  readonly namespace: string
  readonly method: string
  /** The method that was asked for, where `method` is its fallback (row A4). */
  readonly requestedMethod?: string
  /** It runs, or ran, in the process of its caller (row L7). */
  readonly isForeground: boolean
  readonly state: JobStateName
  /** The same under the names of row A2: an alias of `state`. */
  readonly status: JobStatusName
  /** Grows with each change of state. */
  readonly revision: bigint
  /** The user it runs for (row J5). */
  readonly owner: string
  readonly kind: JobKindName
  /** It is kept whatever the retention says (row J12). */
  readonly isPinned: boolean
  /** Empty for none, as all texts here. */
  readonly key: string
  readonly requestId: string
  readonly parentJobId: string
  /** The first ancestor; its own id where it has no parent. */
  readonly rootJobId: string
  /** Its parent ends only when it has (row A5). */
  readonly isAttached: boolean
  readonly displayName: string
  readonly labels: Readonly<Record<string, string>>
  /** The pool it runs in; empty for the default one (row J21). */
  readonly pool: string
  /** The version of the method it requires; empty for whichever. */
  readonly requiredVersion: string
  readonly priority: number
  /** The attempt that runs or ran last, from 1; 0 before the first. */
  readonly attempt: number
  /** How many executors were lost while they ran it (row J16). */
  readonly crashCount: number
  readonly createTime?: Date
  /** When it becomes startable; set while scheduled. */
  readonly dueTime?: Date
  /** When the newest attempt was assigned. */
  readonly startTime?: Date
  /** Set once the job has ended. */
  readonly finishTime?: Date
  readonly progress?: Progress
  /** Whether a cancel was asked for and has not ended yet. */
  readonly cancelRequested: boolean
  /** Why a cancel was asked for; empty where none was, or without a reason. */
  readonly cancelReason: string
  /** The brief error of a failed job, or of the newest failed attempt; empty for none. */
  readonly brief: string
  /** Its handler acts with the rights of a service (row J5); `owner` is still the user it runs for. */
  readonly privileged: boolean
  /** What is stored of it and cannot be read by the scheduler, being of a newer release or written by hand, in words; that is left out. */
  readonly unreadable?: string
  /** True where the caller may see the job and not its payloads (row J23): of the progress there is the percent only. */
  readonly payloadHidden?: true
}

/** Selects jobs (row J8): set fields must all hold, and of a list any value. */
export interface JobFilter {
  readonly states?: readonly JobStateName[]
  /** `*` stands for any characters. */
  readonly methods?: readonly string[]
  readonly key?: JobKey
  readonly owner?: string
  readonly kinds?: readonly JobKindName[]
  readonly parentJobId?: string
  /** All of these. */
  readonly labels?: Readonly<Record<string, string>>
  /** Created at or after. */
  readonly createdFrom?: Date
  /** Created before. */
  readonly createdBefore?: Date
  /**
   * The same and more as text, such as `state:failed method:reports.* label.tenant:acme age:<1h`; see the guide on filters. It must hold
   * beside what is set; a field is given in one of the two.
   */
  readonly filter?: string
}

/** A page of jobs (row J8). */
export interface JobPage {
  /** Newest first; fewer than a page where they are very large. */
  readonly jobs: readonly JobInfo[]
  /** Opaque; empty on the last page. */
  readonly nextPageToken: string
}

/** Which page of jobs (row J8). */
export interface PageOptions {
  /** 1 to 1,000. Default 50. */
  readonly pageSize?: number
  /** From the page before, asked for with the same filter. Default: the first page. */
  readonly pageToken?: string
  readonly signal?: AbortSignal
}

/** A record as it is shown to callers. */
export function jobInfoFrom(job: Job): JobInfo {
  const { jobId, completion, progress, kind } = job
  return {
    id: jobId,
    namespace: job.namespace,
    method: job.method,
    ...(job.requestedMethod && { requestedMethod: job.requestedMethod }),
    isForeground: job.mode !== undefined,
    ...namesOf(job.state),
    revision: job.revision,
    owner: job.owner,
    kind: kindNameOf(kind),
    isPinned: job.pinned ?? false,
    key: job.key,
    requestId: job.requestId,
    parentJobId: job.parentJobId,
    rootJobId: job.rootJobId,
    isAttached: job.attached ?? false,
    displayName: job.displayName,
    labels: job.labels,
    pool: job.pool,
    requiredVersion: job.requiredVersion,
    priority: job.priority,
    attempt: job.attempt,
    crashCount: job.crashCount,
    createTime: job.createTime,
    dueTime: job.dueTime,
    startTime: job.startTime,
    finishTime: completion?.finishTime,
    progress: progress && progressFrom(progress),
    cancelRequested: job.cancelRequested,
    cancelReason: job.cancelReason,
    brief: job.errorBrief,
    privileged: job.privileged ?? false,
    ...unreadableFrom(job),
    ...hiddenFrom(job),
  }
}

function unreadableFrom({ unreadable, completion }: Job): Pick<JobInfo, 'unreadable'> {
  const faults = [unreadable, completion?.unreadable].filter((fault) => fault !== undefined)
  return faults.length === 0 ? {} : { unreadable: faults.join('; ') }
}

const listOf = (each: Rule): Rule => listUpTo(LIMITS.filterValuesMax, each)

/** Told where the caller stands, in the words of the scheduler. */
const filterText: Rule = (value, name) => {
  text(value, name)
  const said = parseFilter(value as string)
  if (!isFilterFault(said)) return
  throw new TypeError(`${name} is wrong at character ${said.position}: ${said.description}`)
}

const FILTER_RULES: Rules<JobFilter> = {
  states: listOf(oneOf(stateNames)),
  methods: listOf(textUpTo(LIMITS.methodCharactersMax)),
  key: keyRule,
  owner: textUpTo(LIMITS.ownerCharactersMax),
  kinds: listOf(oneOf(Object.keys(KINDS))),
  parentJobId: text,
  labels: labelRule,
  createdFrom: date,
  createdBefore: date,
  filter: filterText,
}

export const PAGE_RULES: Rules<PageOptions> = {
  pageSize: wholeWithin(1, LIMITS.pageSizeMax),
  pageToken: text,
  signal: abortSignal,
}

/** A filter as the scheduler takes it. */
export function filterFrom(filter: JobFilter): WireFilter {
  checkOptions('a filter', filter, FILTER_RULES)
  return {
    states: filter.states?.map(stateFrom) ?? [],
    methods: [...(filter.methods ?? [])],
    key: keyText(filter.key),
    owner: filter.owner ?? '',
    kinds: filter.kinds?.map((kind) => KINDS[kind]) ?? [],
    parentJobId: filter.parentJobId ?? '',
    labels: { ...filter.labels },
    createdFrom: filter.createdFrom,
    createdBefore: filter.createdBefore,
    text: filter.filter ?? '',
  }
}

export function kindNameOf(kind: JobKind): JobKindName {
  if (kind === JobKind.JOB_KIND_SYSTEM) return 'system'
  return kind === JobKind.JOB_KIND_SCHEDULED ? 'scheduled' : 'program'
}
