import { contextFromTraceparent, startTelemetry, traced } from '@offstage/kit/telemetry'
import type { TracedAttempt } from './runner.ts'

/** Spans of attempts, exported from this thread: children of the span that started the job. */
export async function startTracing(
  otlpEndpoint: string | undefined,
): Promise<{ readonly traced: TracedAttempt; stop(): Promise<void> }> {
  const telemetry = startTelemetry({ serviceName: 'offstage-executor', otlpEndpoint })
  await telemetry.start()
  return {
    traced: ({ method, jobId, attempt, traceparent, tracestate }, work) => {
      const parent = contextFromTraceparent(traceparent, tracestate)
      const attributes = { 'offstage.job.id': jobId, 'offstage.job.attempt': attempt }
      return traced(`run ${method}`, { parent, attributes, hidesTexts: true }, work)
    },
    stop: () => telemetry.stop(),
  }
}
