import type { ConnectOptions, JobHandle, Offstage } from '@offstage/sdk'
import { EXIT } from '../exit-codes.ts'
import { asJson } from './as-json.ts'
import { tell } from './client.ts'
import { helpLine } from './error-texts.ts'
import { readUnreadableResult } from './unreadable-result.ts'

export interface ShowOptions {
  /** Longest wait in milliseconds. Default: no limit. */
  readonly timeoutMs?: number
  /** Where to read a job whose result the SDK cannot decode. */
  readonly connect: ConnectOptions
}

/** After so long whoever waits is told why the job has not begun. */
const UNBEGUN_MS = 1_000

/**
 * Waits for a job and shows its end: the result on standard output, as JSON or as it is where it is bytes, so
 * that it can be piped; progress, messages and errors on standard error. Ctrl-C ends the wait, not the job.
 * Resolves to the exit code.
 */
export async function showCompletion(
  offstage: Offstage,
  job: JobHandle,
  options: ShowOptions,
): Promise<number> {
  const interrupted = new AbortController()
  const onInterrupt = () => interrupted.abort()
  process.once('SIGINT', onInterrupt)
  const unbegun = setTimeout(() => void tellIfUnbegun(offstage, job.id), UNBEGUN_MS)
  try {
    return await showEnd(job, options.timeoutMs, interrupted.signal)
  } catch (error) {
    if (interrupted.signal.aborted) {
      tell(`the job goes on: offstage wait ${job.id}`)
      return EXIT.interrupted
    }
    const result = await readUnreadableResult(offstage, options.connect, job.id)
    if (result === undefined) throw error
    tell(`job ${job.id} succeeded, but its result is not what it says it is; here it is as it is`)
    process.stdout.write(result)
    return EXIT.unreadable
  } finally {
    clearTimeout(unbegun)
    process.off('SIGINT', onInterrupt)
  }
}

async function showEnd(
  job: JobHandle,
  timeoutMs: number | undefined,
  signal: AbortSignal,
): Promise<number> {
  const done = await job.waitForCompletion({
    timeoutMs,
    signal,
    onProgress: ({ percent, text }) => tell(`${Math.floor(percent)} %  ${text}`),
    onMessage: ({ severity, text }) => tell(`${severity}: ${text}`),
  })
  switch (done.state) {
    case 'succeeded':
      if (done.payloadHidden) tell(`job ${job.id} succeeded; its result is not yours to see`)
      else showValue(done.result)
      return EXIT.done
    case 'failed':
      tell(`job ${job.id} failed: ${done.error.brief} (${done.error.reason})`)
      if (saysMore(done.error)) tell(done.error.detail)
      tellHelp(done.error.reason)
      return EXIT.failed
    case 'canceled':
      tell(`job ${job.id} was canceled`)
      return EXIT.canceled
    default:
      tell(`job ${job.id} is still ${done.state}`)
      return EXIT.unfinished
  }
}

function tellHelp(reason: string): void {
  const help = helpLine(reason)
  if (help !== '') tell(help)
}

/** Where Offstage itself found the fault, the stack has been cut to its first line, which repeats the brief. */
function saysMore({ brief, detail }: { readonly brief: string; readonly detail: string }): boolean {
  return detail.includes('\n') || !detail.endsWith(brief)
}

/** A parent that waits for its children has begun. */
async function tellIfUnbegun(offstage: Offstage, jobId: string): Promise<void> {
  const why = await offstage.explainJob(jobId).catch(() => undefined)
  if (why === undefined || why.cause === 'none' || why.cause === 'children') return
  tell(`job ${jobId} has not begun: ${why.text}`)
}

/** Prints a value as JSON; bytes go out as they are. */
export function showValue(value: unknown): void {
  if (value instanceof Uint8Array) process.stdout.write(value)
  else process.stdout.write(`${asJson(value)}\n`)
}
