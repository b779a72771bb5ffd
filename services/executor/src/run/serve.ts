/** Serves the executor in a thread or process of handlers: loads the job modules, then runs what it is told to. */
import { connectAllStores } from '@offstage/sdk/client'
import { faultFromThrown } from '../domain/fault.ts'
import type { ThreadMessage, ThreadOptions, ThreadOrders } from '../lanes/thread-messages.ts'
import { announcedSchedule, announcementOf } from './announce.ts'
import { attemptRunning } from './attempt-run.ts'
import { BlockWatch } from './block-watch.ts'
import { ClientSource } from './client-source.ts'
import { GlobalsWatch } from './globals-watch.ts'
import { LeakWatch } from './leak-watch.ts'
import { loadJobs } from './load-jobs.ts'
import { OwnMap } from './own-copies.ts'
import { Reporter } from './reporter.ts'
import { Runner, type RunnerOptions } from './runner.ts'
import { ThreadRefreshes } from './thread-refreshes.ts'
import { TokenDesk } from './token-desk.ts'

/** How it speaks with the executor. */
export interface RunnerLink {
  readonly options: ThreadOptions
  readonly claims: RunnerOptions['claims']
  readonly post: (message: ThreadMessage) => void
  /** Called once, when orders can be taken; what came before is heard then. */
  readonly listen: (obey: (orders: ThreadOrders) => void) => void
}

export async function serve({ options, claims, post, listen }: RunnerLink): Promise<void> {
  // Imported when wanted: the exporter would double the time it takes to start.
  const tracing =
    options.otlpEndpoint === undefined
      ? undefined
      : await import('./tracing.ts').then(({ startTracing }) => startTracing(options.otlpEndpoint))
  const close = async () => {
    try {
      await tracing?.stop()
    } finally {
      process.exit(0)
    }
  }
  const clients = new ClientSource(options)
  const refreshes = new ThreadRefreshes(post)
  connectAllStores(refreshes)
  try {
    const { jobs, schedules } = await loadJobs(options.jobs)
    const reporter: Reporter = new Reporter({ postMessage: post }, () => watch.look())
    // What has ended must be known even when a handler calls process.exit in the same turn.
    process.on('exit', () => {
      const culprit = attemptRunning()
      leaks.flush()
      reporter.flush()
      if (culprit !== undefined) post({ kind: 'exiting', culprit })
    })
    const watch = new GlobalsWatch((change) => reporter.say({ kind: 'changed', change }))
    const leaks = new LeakWatch({
      globals: watch,
      tell: (figures, round) => reporter.say({ kind: 'leaks', figures, round }),
    })
    if (options.leaks !== undefined) await leaks.obey(options.leaks)
    const { blockedAfterMs } = options
    const blocks =
      blockedAfterMs === undefined
        ? undefined
        : new BlockWatch(
            blockedAfterMs,
            () => runner.methods,
            (block) => reporter.say({ kind: 'blocked', block }),
          )
    const runner: Runner = new Runner({
      jobs: new OwnMap(jobs),
      watch,
      ...(blocks && { blocks }),
      reporter,
      clients,
      tokens: options.attemptTokens ? new TokenDesk(reporter) : undefined,
      claims,
      traced: tracing?.traced,
    })
    listen((orders) => {
      refreshes.obey(orders)
      if (orders.leaks !== undefined) void leaks.obey(orders.leaks)
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
}
