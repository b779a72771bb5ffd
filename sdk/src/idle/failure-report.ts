/**
 * How failures, and runs that never end, are told. This is the last resort, so nothing here throws or rejects, whatever the reporter,
 * the error or the console does.
 */

import type { IdleHandler } from './attachment.ts'
import type { IdleOwner } from './owner.ts'

/** A run that threw or whose promise rejected (row I2). The handler stays attached unless it was to run once. */
export interface IdleFailure {
  readonly error: unknown
  readonly owner: IdleOwner
  readonly handler: IdleHandler
}

/** An asynchronous run that has not ended for long; no other handler runs until it does. */
export interface SlowIdleRun {
  readonly owner: IdleOwner
  readonly handler: IdleHandler
  /** For how many milliseconds it has been running. */
  readonly runningMs: number
}

/** Tells `onError` about a failed run. If it throws or rejects itself, both failures go to the console. */
export function reportFailure(
  failure: IdleFailure,
  onError: (failure: IdleFailure) => unknown,
): void {
  const report = async () => onError(failure)
  report().catch((error) => {
    writeFailure(failure)
    write('onError of the idle handlers failed', error)
  })
}

/** Writes a failed run to the console. */
export function writeFailure(failure: IdleFailure): void {
  write(`${nameOf(failure)} failed`, failure.error)
}

/** Tells `onSlow` about a run that has not ended. If it throws or rejects, that goes to the console too. */
export function reportSlowRun(run: SlowIdleRun, onSlow: (run: SlowIdleRun) => unknown): void {
  const report = async () => onSlow(run)
  report().catch((error) => {
    writeSlowRun(run)
    write('onSlow of the idle handlers failed', error)
  })
}

/** Writes a run that has not ended to the console. */
export function writeSlowRun(run: SlowIdleRun): void {
  const seconds = Math.round(run.runningMs / 100) / 10
  write(`${nameOf(run)} has been running for ${seconds} s; until it ends, no other handler runs`)
}

/** Tells about a listener of an activity that failed, the way browsers tell about those of their own events. */
export function reportListenerError(error: unknown): void {
  const { reportError = writeListenerError } = globalThis as {
    reportError?: typeof writeListenerError
  }
  try {
    reportError(error)
  } catch {
    writeListenerError(error)
  }
}

function writeListenerError(error: unknown): void {
  write('a listener for the end of blocking calls failed', error)
}

function nameOf({ owner, handler }: Pick<IdleFailure, 'owner' | 'handler'>): string {
  try {
    // The name of a function can be redefined to anything, even a symbol.
    const name = String(handler.name || 'anonymous')
    return `idle handler ${name} of ${owner.level} "${owner.name}"`
  } catch {
    return 'an idle handler'
  }
}

/** Some errors cannot be shown; then the title must do. Some consoles throw; then nothing can be done. */
function write(title: string, ...details: unknown[]): void {
  try {
    console.error(title, ...details)
  } catch {
    if (details.length > 0) write(title)
  }
}
