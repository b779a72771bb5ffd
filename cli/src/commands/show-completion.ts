import type { JobHandle } from '@offstage/sdk'
import { EXIT } from '../exit-codes.ts'

export interface ShowOptions {
  /** Longest wait in milliseconds. Default: no limit. */
  readonly timeoutMs?: number
}

/**
 * Waits for a job and shows its end: the result on standard output, as JSON or as it is where it is bytes, so
 * that it can be piped; progress, messages and errors on standard error. Resolves to the exit code.
 */
export async function showCompletion(job: JobHandle, options: ShowOptions = {}): Promise<number> {
  const tell = (line: string) => process.stderr.write(`${line}\n`)
  const done = await job.waitForCompletion({
    ...options,
    onProgress: ({ percent, text }) => tell(`${Math.floor(percent)} %  ${text}`),
    onMessage: ({ severity, text }) => tell(`${severity}: ${text}`),
  })
  switch (done.status) {
    case 'succeeded':
      showValue(done.result)
      return EXIT.done
    case 'failed':
      tell(`job ${job.id} failed: ${done.error.brief} (${done.error.reason})`)
      if (done.error.detail !== '') tell(done.error.detail)
      return EXIT.failed
    case 'canceled':
      tell(`job ${job.id} was canceled`)
      return EXIT.canceled
    case 'unfinished':
      tell(`job ${job.id} is still ${done.state}`)
      return EXIT.unfinished
  }
}

/** Prints a value as JSON; bytes go out as they are. */
export function showValue(value: unknown): void {
  if (value instanceof Uint8Array) process.stdout.write(value)
  else process.stdout.write(`${jsonOf(value)}\n`)
}

/** Revisions are 64 bits wide. */
function jsonOf(value: unknown): string {
  const plain = (_key: string, each: unknown) => (typeof each === 'bigint' ? each.toString() : each)
  return JSON.stringify(value, plain, 2)
}
