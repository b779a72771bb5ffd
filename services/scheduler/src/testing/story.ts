/**
 * What happened in a test, told on standard error where it fails: what the statements of its schedulers changed, each as it is
 * answered, and what its executors said and heard. What fails once in a thousand runs cannot be asked again.
 */
import type { Database, QueryResult, Statement } from '@offstage/kit/database'
import type { AttachRequest, AttachResponse } from '@offstage/proto/executor'
import { onTestFailed, TestRunner } from 'vitest'
import { type SchedulerDatabases, sharedDatabase } from '../store/databases.ts'

/** The last ones are those that matter. */
const LINES_MAX = 150
/** They come all the time, whatever happens. */
const UNTOLD = /^(?:begin_|renew_|read_|list_|find_|count_|look_|next_|until_|is_|$)/

interface Line {
  readonly atMs: number
  readonly text: string
  times: number
}

let told: unknown
let lines: Line[] = []

/** Of the test that runs: a second scheduler of it joins in. */
function begin(): void {
  const test = TestRunner.getCurrentTest()
  if (test === told) return
  told = test
  lines = []
  if (test === undefined) return
  onTestFailed(() => {
    if (test === told) process.stderr.write(`What happened in "${test.name}":\n${story()}\n`)
  })
}

function story(): string {
  return lines
    .map(({ atMs, text, times }) => `${atMs} ms: ${text}${times > 1 ? ` (${times} times)` : ''}`)
    .join('\n')
}

function tell(text: string): void {
  const last = lines.at(-1)
  if (last?.text === text) last.times += 1
  else lines.push({ atMs: Math.round(performance.now()), text, times: 1 })
  if (lines.length > LINES_MAX) lines.shift()
}

/** Under a scheduler. What changed nothing is left out: most of that are sweeps. */
export function telling(databases: Database | SchedulerDatabases): SchedulerDatabases {
  begin()
  const sets = 'calls' in databases ? databases : sharedDatabase(databases)
  const { calls, listings, work, leases } = sets
  return {
    ...sets,
    calls: tellingStatements(calls),
    listings: tellingStatements(listings),
    work: tellingStatements(work),
    leases: tellingStatements(leases),
  }
}

function tellingStatements(database: Database): Database {
  const tellOf = async <Row>({ name }: Statement, answer: Promise<QueryResult<Row>>) => {
    try {
      const result = await answer
      if (result.rowCount > 0 && !UNTOLD.test(name)) tell(`${name}: ${result.rowCount} rows`)
      return result
    } catch (error) {
      tell(`${name}: ${error}`)
      throw error
    }
  }
  return {
    ...database,
    query: <Row>(statement: Statement, values?: readonly unknown[]) =>
      tellOf(statement, database.query<Row>(statement, values)),
    transaction: (work) =>
      database.transaction((tx) =>
        work({
          query: <Row>(statement: Statement, values?: readonly unknown[]) =>
            tellOf(statement, tx.query<Row>(statement, values)),
        }),
      ),
  }
}

/** Of an executor, by the end of its session id. */
export function tellFrame(
  sessionId: string,
  how: 'says' | 'hears',
  frame: AttachRequest | AttachResponse,
): void {
  const parts = Object.entries(frame).flatMap(([name, value]) => {
    if (name === 'heartbeat' || !isSaid(value)) return []
    return [Array.isArray(value) ? `${name} ${value.map(brief).join(' ')}` : name]
  })
  if (parts.length > 0) tellOfExecutor(sessionId, `${how} ${parts.join(', ')}`)
}

export function tellOfExecutor(sessionId: string, text: string): void {
  tell(`executor ${short(sessionId)} ${text}`)
}

const isSaid = (value: unknown) =>
  Array.isArray(value) ? value.length > 0 : Boolean(value) && value !== 0

function brief(item: object): string {
  const { jobId, attempt, lane, slots } = item as Record<string, unknown>
  if (typeof jobId === 'string') return `${short(jobId)}#${attempt}`
  return slots === undefined ? '…' : `${slots} of lane ${lane}`
}

/** Ids that are made at once differ at their ends. */
const short = (id: string) => id.slice(-6)
