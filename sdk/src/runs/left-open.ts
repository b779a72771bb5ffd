/** Something that a run had left open, and its end has closed. */
export interface LeftOpen {
  /** Such as `a transaction`. */
  readonly what: string
  /** The frames of the code that opened it, innermost first; empty where they are not known. */
  readonly openedAt: string
  /** Why it could not be closed. */
  readonly error?: unknown
}

/** What a run had left open, the last opened first. */
export interface LeftOpenReport {
  /** Name of the run. */
  readonly run: string
  readonly leftOpen: readonly LeftOpen[]
}

/** Takes it to the log. */
export type TellLeftOpen = (report: LeftOpenReport) => unknown

/** A warning of the process: on stderr, where nobody listens for it. */
export function warnOfLeftOpen({ run, leftOpen }: LeftOpenReport): void {
  const text = [`${run} left open, closed at its end:`, ...leftOpen.map(lineOf)].join('\n')
  process.emitWarning(text, { type: 'OffstageWarning', code: 'LEFT_OPEN' })
}

function lineOf({ what, openedAt, error }: LeftOpen): string {
  const failed = error === undefined ? '' : `, which failed: ${problemOf(error)}`
  return `- ${what}${failed}; opened\n${openedAt || '    at an unknown place'}`
}

function problemOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error)
  } catch {
    return 'an error that cannot be shown'
  }
}
