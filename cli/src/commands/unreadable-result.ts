import { JobState } from '@offstage/proto/jobs'
import type { ConnectOptions, Offstage } from '@offstage/sdk'
import { readJob } from './job-records.ts'
import { isReadable } from './payload-record.ts'

/**
 * The result of a job that succeeded with what no client can decode, as an executor in another language may have sent
 * it; undefined where that is not so, or cannot be told.
 */
export async function readUnreadableResult(
  offstage: Offstage,
  options: ConnectOptions,
  jobId: string,
): Promise<Buffer | undefined> {
  const job = await readJob(options, jobId).catch(() => undefined)
  const { state, result } = job?.completion ?? {}
  if (state !== JobState.JOB_STATE_SUCCEEDED || result?.source === undefined) return undefined
  const { source, contentType } = result
  const bytes = source.$case === 'inline' ? source.value : await readStored(offstage, source.value)
  if (bytes === undefined || isReadable(bytes, contentType)) return undefined
  return Buffer.from(bytes)
}

async function readStored(offstage: Offstage, address: string): Promise<Buffer | undefined> {
  try {
    const { chunks } = await offstage.storage.getStream(address)
    const parts: Uint8Array[] = []
    for await (const chunk of chunks) parts.push(chunk)
    return Buffer.concat(parts)
  } catch {
    return undefined
  }
}
