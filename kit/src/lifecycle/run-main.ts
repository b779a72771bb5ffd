import { ConfigError } from '../config/config-error.ts'
import { UnavailableError } from '../config/unavailable-error.ts'
import { stackForLog } from '../telemetry/error-for-log.ts'
import type { Service } from './service.ts'

export interface RunMainOptions {
  /** How long a stop may take before the process ends as failed. Default 30 000. */
  readonly stopTimeoutMs?: number
}

/** EX_CONFIG of sysexits.h: starting again will not help. */
const EXIT_CONFIG = 78
/** EX_UNAVAILABLE of sysexits.h: starting again later may help. */
const EXIT_UNAVAILABLE = 69
const EXIT_SECOND_SIGNAL = 130

/**
 * The whole life of a process: builds the service, starts it, stops it at SIGTERM or SIGINT, and
 * ends the process. Exit codes: 0 after a clean stop, 1 when the start or the stop fails or the
 * stop takes too long, 69 for an UnavailableError and 78 for a ConfigError (both printed without a
 * stack), 130 at a second signal. An error that nobody handled ends the process at once with 1: what
 * it left half done is unknown.
 */
export async function runMain(
  name: string,
  build: () => Promise<Service>,
  options: RunMainOptions = {},
): Promise<void> {
  const { stopTimeoutMs = 30_000 } = options
  const asked = Promise.withResolvers<void>()
  let signals = 0
  const onSignal = () => {
    signals += 1
    if (signals > 1) process.exit(EXIT_SECOND_SIGNAL)
    asked.resolve()
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  // Also raised for a promise that was rejected with nobody to hear it; `origin` says which.
  process.on('uncaughtException', (error, origin) => {
    process.stderr.write(
      `${name}: ended by an error nobody handled (${origin}): ${textOf(error)}\n`,
    )
    process.exit(1)
  })
  // Services unref their timers: without this an idle one would end at once, as if all were well.
  const alive = setInterval(() => {}, 2 ** 30)
  try {
    const service = await build()
    const started = service.start()
    const first = await Promise.race([started.then(() => 'up'), asked.promise.then(() => 'asked')])
    if (first === 'up') await asked.promise
    await within(stopTimeoutMs, service.stop())
    clearInterval(alive)
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${name}: ${textOf(error)}\n`)
    process.exit(exitCodeOf(error))
  }
}

/** The whole life of a process that does one thing; it ends as `runMain` has it. */
export async function runTask(name: string, task: () => Promise<void>): Promise<void> {
  try {
    await task()
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${name}: ${textOf(error)}\n`)
    process.exit(exitCodeOf(error))
  }
}

async function within(timeoutMs: number, stopped: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new Error(`still stopping after ${timeoutMs} ms`)),
    timeoutMs,
  )
  await Promise.race([stopped, late.promise]).finally(() => clearTimeout(timer))
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT_CONFIG
  return error instanceof UnavailableError ? EXIT_UNAVAILABLE : 1
}

function textOf(error: unknown): string {
  const told = error instanceof ConfigError || error instanceof UnavailableError
  if (told) return error.message
  return error instanceof Error ? stackForLog(error) : `a ${typeof error} was thrown`
}
