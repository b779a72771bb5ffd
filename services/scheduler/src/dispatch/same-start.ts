/** Whether a start under a request id that is known asks for the job it created (row J19). */
import { createHash } from 'node:crypto'
import type { ExistingJob } from '../domain/held-job.ts'
import type { Payload, StartCommand } from '../domain/start-command.ts'

export function isSameStart(existing: ExistingJob, command: StartCommand): boolean {
  return (
    existing.namespace === command.namespace &&
    (existing.requestedMethod ?? existing.method) === requestedOf(command) &&
    existing.owner === command.owner &&
    existing.key === command.key &&
    areSameParams(existing.params, command.params)
  )
}

/** Of which of the two there was then is not the caller's to know: what was asked for is compared. */
function requestedOf({ method, options }: StartCommand): string {
  return options?.requestedMethod ?? method
}

/**
 * By content. Of parameters at addresses only a checksum tells: clients store them anew for each start. Where one is not
 * known the caller is believed.
 */
function areSameParams(a: Payload, b: Payload): boolean {
  if (a.type !== b.type) return false
  if (a.address === undefined && b.address === undefined) return bytesOf(a).equals(bytesOf(b))
  const [ofA, ofB] = [sha256Of(a), sha256Of(b)]
  return ofA === undefined || ofB === undefined || a.address === b.address || ofA.equals(ofB)
}

/** None given are the JSON value {}. */
function bytesOf({ inline }: Payload): Buffer {
  return inline === undefined ? Buffer.from('{}') : Buffer.from(inline)
}

function sha256Of(params: Payload): Buffer | undefined {
  if (params.address === undefined) return createHash('sha256').update(bytesOf(params)).digest()
  return params.sha256 && Buffer.from(params.sha256)
}
