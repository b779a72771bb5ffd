/** Puts that name themselves, so that they can be repeated when their answer was lost. */
import { type Actor, actingFor, mayTouch } from '@offstage/kit/auth'
import { parseNamespace } from '../domain/identifier.ts'
import { NAMESPACE_DEFAULT, REQUEST_KEPT_MS } from '../domain/limits.ts'
import type { FinishedPut, PutCommand } from '../domain/put.ts'
import type { PutHeader } from '../domain/temp-value.ts'
import type { StorageParts } from '../ports/parts.ts'
import { requestIdReused } from '../refusals.ts'

/** Undefined: the put has no request id, or the actor may not put for the owner it names. */
export function requestOf(
  actor: Actor,
  { requestId, namespace = parseNamespace(NAMESPACE_DEFAULT), owner }: PutHeader,
): PutCommand['request'] {
  const acting = actingFor(actor, 'values.write', owner)
  if (requestId === undefined || namespace === undefined || acting === undefined) return undefined
  return { asker: acting.user, namespace, id: requestId, keptMs: REQUEST_KEPT_MS }
}

/** The put that had this one's request id, as it was answered, while it is remembered. */
export async function findRepeated(
  storage: StorageParts,
  actor: Actor,
  header: PutHeader,
): Promise<FinishedPut | undefined> {
  const request = requestOf(actor, header)
  const finished = request && (await storage.values.finishedPut(request))
  return finished && mayTouch(actor, 'values.write', finished.value) ? finished : undefined
}

/** Throws when a put is not the one that had its request id. */
export function refuseOther(header: PutHeader, finished: FinishedPut, sha256: Buffer): void {
  const { value, askedAddress } = finished
  if (askedAddress === header.address && value.sha256.equals(sha256)) return
  throw requestIdReused(header.requestId ?? '')
}
