import type { Turns } from '@offstage/kit/fairness'
import { clientStream, type GuardedService, serverStream, unary } from '@offstage/kit/grpc'
import type { Logger } from '@offstage/kit/telemetry'
import { durationFrom } from '@offstage/proto/durations'
import type { StorageServiceServer } from '@offstage/proto/storage'
import type { StorageParts } from '../ports/parts.ts'
import { closeScope, keepScopeAlive, openScope } from '../scopes/manage-scopes.ts'
import { putOrResume } from '../uploads/put-or-resume.ts'
import { getUpload, startUpload } from '../uploads/start-upload.ts'
import { deleteValue, listValues, reserveAddress } from '../values/manage-values.ts'
import { readAndDeleteValue } from '../values/read-and-delete-value.ts'
import { describeValue, readValue } from '../values/read-value.ts'
import { callerOf } from './caller.ts'
import { listActs } from './list-acts.ts'
import * as map from './mapping.ts'
import { createStorageFaults } from './storage-faults.ts'

/** Each handler decodes, calls its use case, encodes; callers take turns. */
export function createHandlers(
  storage: StorageParts,
  log: Logger,
  turns: Turns,
): GuardedService<StorageServiceServer> {
  const { telling, tellingAll } = createStorageFaults(log)
  return {
    putValue: clientStream('values.write', async (requests, context) => {
      const parts = map.putPartsFromRequests(requests)
      const value = await telling(putOrResume(storage, callerOf(context), parts))
      return { value: map.valueMessage(value) }
    }),
    getValue: serverStream(
      'values.read',
      (request, context) => {
        const query = map.readQueryFromRequest(request)
        const parts = readValue(storage, callerOf(context), query)
        return map.readMessages(tellingAll(parts))
      },
      'transfer',
    ),
    readAndDeleteValue: serverStream(
      'values.write',
      (request, context) => {
        const query = map.takeQueryFromRequest(request)
        const parts = readAndDeleteValue(storage, callerOf(context), query, context.signal)
        return map.readMessages(tellingAll(parts))
      },
      'transfer',
    ),
    describeValue: unary(
      'values.read',
      async (request, { actor }) => {
        const address = map.addressFromRequest(request)
        const value = await describeValue(storage, actor, address)
        return { value: map.valueMessage(value) }
      },
      turns,
    ),
    reserveAddress: unary(
      'values.write',
      async (request, { actor }) => {
        const reserve = map.reserveFromRequest(request)
        const value = await telling(reserveAddress(storage, actor, reserve))
        return { value: map.valueMessage(value) }
      },
      turns,
    ),
    deleteValue: unary(
      'values.delete',
      async (request, context) => {
        const address = map.addressFromRequest(request)
        return { deleted: await deleteValue(storage, callerOf(context), address) }
      },
      turns,
    ),
    listValues: unary(
      'values.read',
      async (request, { actor }) => {
        const list = map.listFromRequest(request)
        const page = await listValues(storage, actor, list)
        return { values: page.values.map(map.valueMessage), nextPageToken: page.nextPageToken }
      },
      turns,
    ),
    startUpload: unary(
      'values.write',
      async (request, context) => {
        const header = map.uploadHeaderFromRequest(request)
        const { id, expireTime } = await telling(startUpload(storage, callerOf(context), header))
        return { uploadId: id, expireTime }
      },
      turns,
    ),
    getUpload: unary(
      'values.write',
      async (request, { actor }) => {
        const id = map.uploadFromRequest(request)
        return map.uploadMessage(await getUpload(storage, actor, id))
      },
      turns,
    ),
    openScope: unary(
      'values.write',
      async (request, { actor }) => {
        const open = map.openScopeFromRequest(request)
        const { id, leaseMs } = await openScope(storage, actor, open)
        return { scope: id, lease: durationFrom(leaseMs) }
      },
      turns,
    ),
    keepScopeAlive: unary(
      'values.write',
      async (request, { actor }) => {
        const scope = map.scopeFromRequest(request)
        return { expireTime: await keepScopeAlive(storage, actor, scope) }
      },
      turns,
    ),
    listActs: listActs(storage.acts, turns),
    closeScope: unary(
      'values.write',
      async (request, context) => {
        const scope = map.scopeFromRequest(request)
        return { deletedCount: await closeScope(storage, callerOf(context), scope) }
      },
      turns,
    ),
  }
}
