import type { JobRecord } from './job-record.ts'
import { linesOf } from './table.ts'

/** What `list` shows of each job: a heading, and how to read its text off a job. */
const COLUMNS: readonly (readonly [heading: string, textOf: Reader])[] = [
  ['JOB', ({ id }) => id],
  ['STATE', ({ state }) => state ?? ''],
  ['CREATED', ({ createTime }) => createTime?.toISOString().slice(0, 19).concat('Z') ?? ''],
  ['DURATION', durationOf],
  ['PROGRESS', ({ progress }) => (progress ? `${Math.floor(progress.percent)} %` : '-')],
  ['METHOD', ({ method }) => method],
  ['KEY', ({ key }) => key || '-'],
  ['NOTE', noteOf],
]

type Reader = (job: JobRecord, nowMs: number) => string

/** Jobs as lines under a header; the last column holds free text. */
export function tableOf(jobs: readonly JobRecord[], nowMs: number): string {
  const rows = jobs.map((job) => COLUMNS.map(([, textOf]) => textOf(job, nowMs)))
  return linesOf([COLUMNS.map(([heading]) => heading), ...rows])
}

/** From the first assignment to the end or to now; `-` before it. */
function durationOf({ startTime, completion }: JobRecord, nowMs: number): string {
  if (startTime === undefined) return '-'
  const endMs = completion?.finishTime?.getTime() ?? nowMs
  // The clocks of the database and of this machine may differ.
  return spanText(Math.max(0, endMs - startTime.getTime()))
}

function spanText(ms: number): string {
  if (ms < 1_000) return `${ms}ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`
  return `${Math.floor(seconds / 3_600)}h${Math.floor((seconds % 3_600) / 60)}m`
}

/** Why it failed, or what it does. */
function noteOf({ errorBrief, state, progress }: JobRecord): string {
  const runs = state === 'running' || state === 'waiting'
  const text = runs ? progress?.text || errorBrief : errorBrief
  return text.replaceAll(/\s+/g, ' ')
}
