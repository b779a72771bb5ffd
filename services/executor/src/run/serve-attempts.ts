/** The main module of a handler thread: loads the job modules, then runs what it is told to. */

import { workerData } from 'node:worker_threads'
import { defaultValuesStore } from '@offstage/sdk/values'
import { faultFromThrown } from '../domain/fault.ts'
import { HeldClaims } from '../lanes/claims.ts'
import type {
  ThreadLink,
  ThreadMessage,
  ThreadOptions,
  ThreadOrders,
} from '../lanes/thread-messages.ts'
import { announcedSchedule, announcementOf } from './announce.ts'
import { attemptRunning } from './attempt-run.ts'
import { ClientSource } from './client-source.ts'
import { GlobalsWatch } from './globals-watch.ts'
import { loadJobs } from './load-jobs.ts'
import { OwnMap } from './own-copies.ts'
import { Reporter } from './reporter.ts'
import { Runner } from './runner.ts'
import { ThreadRefreshes } from './thread-refreshes.ts'
import { TokenDesk } from './token-desk.ts'

const { port, claims, ...options }: ThreadOptions & ThreadLink = workerData
// What is the runner's alone is out of reach before any job module is loaded.
for (const name of Object.keys(workerData)) delete workerData[name]
// Imported when wanted: the exporter would double the time a thread takes to start.
const tracing =
  options.otlpEndpoint === undefined
    ? undefined
    : await import('./tracing.ts').then(({ startTracing }) => startTracing(options.otlpEndpoint))

function post(message: ThreadMessage): void {
  port.postMessage(message)
}

const clients = new ClientSource(options)
const refreshes = new ThreadRefreshes(post)
defaultValuesStore.connectRefresh(refreshes)

try {
  const { jobs, schedules } = await loadJobs(options.jobs)
  const reporter: Reporter = new Reporter(port, () => watch.look())
  const watch = new GlobalsWatch((change) => reporter.say({ kind: 'changed', change }))
  // What has ended must be known even when a handler calls process.exit in the same turn.
  process.on('exit', () => {
    const culprit = attemptRunning()
    reporter.flush()
    if (culprit !== undefined) post({ kind: 'exiting', culprit })
  })
  const runner = new Runner({
    jobs: new OwnMap(jobs),
    watch,
    reporter,
    clients,
    tokens: options.attemptTokens ? new TokenDesk(reporter) : undefined,
    claims: new HeldClaims(claims),
    traced: tracing?.traced,
  })
  port.on('message', (orders: ThreadOrders) => {
    refreshes.obey(orders)
    if (orders.close) void close()
    else runner.obey(orders)
  })
  post({
    kind: 'ready',
    methods: [...jobs.values()].map(announcementOf),
    schedules: await Promise.all(schedules.map(announcedSchedule)),
  })
} catch (error) {
  post({ kind: 'unusable', detail: faultFromThrown(error).detail })
  process.exit(1)
}

async function close(): Promise<void> {
  try {
    await tracing?.stop()
  } finally {
    process.exit(0)
  }
}
