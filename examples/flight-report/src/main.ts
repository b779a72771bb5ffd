/**
 * The caller's side of the report: starts it, shows how far it is, reads the result from temp storage, prints
 * a table. The services are those OFFSTAGE_SCHEDULER and OFFSTAGE_STORAGE name.
 */
import { startTelemetry, traced } from '@offstage/kit/telemetry'
import { type Completion, type JobHandle, Offstage, OffstageError } from '@offstage/sdk'
import { delayReport } from './jobs.ts'
import { createProgressDisplay } from './progress.ts'
import type { DelayReport } from './report.ts'
import { renderReport } from './table.ts'

/** The result is read at once; whoever wants to look at it later has an hour. */
const RESULT_LIVES_MS = 3_600_000

await using telemetry = startTelemetry({ serviceName: 'flight-report' })
await telemetry.start()
try {
  process.exitCode = await traced('flight report', {}, (span) =>
    showReport(span.spanContext().traceId),
  )
} catch (error) {
  if (!(error instanceof OffstageError)) throw error
  console.error(`flight report: ${error.message} (${error.reason})`)
  process.exitCode = 1
}

/** Resolves to the exit code. */
async function showReport(traceId: string): Promise<number> {
  await using offstage = await Offstage.connect()
  const startedAt = performance.now()
  const { address } = await offstage.storage.reserve({ timeToLiveMs: RESULT_LIVES_MS })
  const job = await offstage.startJob(delayReport, {}, { resultAddress: address })
  console.log(`job    ${job.id}\ntrace  ${traceId}\n`)
  const onInterrupt = () => {
    // Whoever cannot be told of the cancel cannot be waited for either.
    job.cancel({ reason: 'Ctrl-C', cascade: true }).catch(() => process.exit(1))
  }
  process.once('SIGINT', onInterrupt)

  const done = await followProgress(job)
  process.off('SIGINT', onInterrupt)
  if (done.state === 'canceled') {
    console.error('the report was canceled')
    return 1
  }
  if (done.state === 'failed') {
    console.error(`the report failed: ${done.error.brief}\n${done.error.detail}`)
    return 1
  }
  const { size } = await offstage.storage.describe(address)
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  console.log(`\n${renderReport(done.result)}\n`)
  console.log(
    `${size} bytes read from temp storage at ${address}, ${seconds} s from start to table`,
  )
  return 0
}

async function followProgress(job: JobHandle<DelayReport>): Promise<Completion<DelayReport>> {
  const display = createProgressDisplay(process.stdout)
  try {
    const done = await job.waitForCompletion({
      onProgress: ({ percent, text }) => display.show(percent, text),
    })
    if (done.state === 'succeeded') display.show(100, 'done')
    return done
  } finally {
    display.stop()
  }
}
