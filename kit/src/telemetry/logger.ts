import { trace } from '@opentelemetry/api'
import { type DestinationStream, type Logger, pino } from 'pino'
import { errorForLog } from './error-for-log.ts'
import { prettyLine } from './pretty-line.ts'

export type { Logger }

export interface LoggerOptions {
  /** Who speaks, e.g. `scheduler`; the `name` field of each line. */
  readonly name: string
  /** trace, debug, info, warn, error, fatal or silent. Default info. */
  readonly level?: string
  /** Lines for a person at a terminal instead of JSON. Default false. */
  readonly pretty?: boolean
  /** Where lines go. Default: standard output. */
  readonly destination?: DestinationStream
}

/**
 * A logger that writes one JSON object per line: `time` (ISO 8601), `level` in words, `name`, `msg`,
 * and `trace_id` and `span_id` where a span is active.
 */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? pino.destination({ fd: 1, sync: true })
  return pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      base: { name: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: traceIds,
      serializers: { err: errorForLog },
    },
    options.pretty ? prettyTo(destination) : destination,
  )
}

function traceIds(): object {
  const span = trace.getActiveSpan()?.spanContext()
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId }
}

function prettyTo(destination: DestinationStream): DestinationStream {
  return { write: (line) => destination.write(prettyLine(line)) }
}
