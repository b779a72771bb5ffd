import { BlobStoreError } from '../ports/blobs.ts'

/** No space, over the quota of the file system, over the process's file size limit. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export function isFull(error: unknown): boolean {
  return FULL.has(codeOf(error) ?? '')
}

/** What the operating system says of the disk, as the service understands it. */
export function errorFromDisk(error: unknown, action: string): BlobStoreError {
  if (error instanceof BlobStoreError) return error
  const reason = error instanceof Error ? error.message : String(error)
  const kind = isFull(error) ? 'full' : 'unavailable'
  return new BlobStoreError(kind, `${action}: ${reason}`, { cause: error })
}

/** Like ENOENT. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
