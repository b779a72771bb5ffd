export { createLogger, type Logger, type LoggerOptions } from './logger.ts'
export { startTelemetry, type TelemetryOptions, tracingActive } from './telemetry.ts'
export { type TraceOptions, traced } from './traced.ts'
export { contextFromTraceparent, currentTraceparent, currentTracestate } from './traceparent.ts'
