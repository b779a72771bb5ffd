import { clientStream, serverStream, unary } from '@offstage/kit/grpc'
import type { Logger } from '@offstage/kit/telemetry'
import type { StorageServiceServer } from '@offstage/proto/storage'
import type { Storage } from '../ports.ts'
import { closeScope, keepScopeAlive, openScope } from '../scopes/manage-scopes.ts'
import { getUpload, startUpload } from '../uploads/start-upload.ts'
import { deleteValue, listValues, reserveAddress } from '../values/manage-values.ts'
import { putValue } from '../values/put-value.ts'
import { readAndDeleteValue } from '../values/read-and-delete-value.ts'
import { describeValue, readValue } from '../values/read-value.ts'
import * as map from './mapping.ts'
import { telling, tellingAll } from './storage-faults.ts'
import { wholeStream } from './whole-stream.ts'

/** Each handler decodes, calls its use case, encodes. */
export function createHandlers(storage: Storage, log: Logger): StorageServiceServer {
  return {
    putValue: clientStream(async (requests, { caller, signal }) => {
      const parts = map.putPartsFromRequests(wholeStream(requests, signal))
      const value = await telling(log, putValue(storage, map.actorFromCaller(caller), parts))
      return { value: map.valueMessage(value) }
    }),
    getValue: serverStream((request, { caller }) => {
      const query = map.readQueryFromRequest(request)
      const parts = readValue(storage, map.actorFromCaller(caller), query)
      return map.readMessages(tellingAll(log, parts))
    }),
    readAndDeleteValue: serverStream((request, { caller, signal }) => {
      const address = map.addressFromRequest(request)
      const actor = map.actorFromCaller(caller)
      const parts = readAndDeleteValue(storage, actor, address, signal)
      return map.readMessages(tellingAll(log, parts))
    }),
    describeValue: unary(async (request, { caller }) => {
      const address = map.addressFromRequest(request)
      const value = await describeValue(storage, map.actorFromCaller(caller), address)
      return { value: map.valueMessage(value) }
    }),
    reserveAddress: unary(async (request, { caller }) => {
      const reserve = map.reserveFromRequest(request)
      const actor = map.actorFromCaller(caller)
      const value = await telling(log, reserveAddress(storage, actor, reserve))
      return { value: map.valueMessage(value) }
    }),
    deleteValue: unary(async (request, { caller }) => {
      const address = map.addressFromRequest(request)
      return { deleted: await deleteValue(storage, map.actorFromCaller(caller), address) }
    }),
    listValues: unary(async (request, { caller }) => {
      const list = map.listFromRequest(request)
      const page = await listValues(storage, map.actorFromCaller(caller), list)
      return { values: page.values.map(map.valueMessage), nextPageToken: page.nextPageToken }
    }),
    startUpload: unary(async (request, { caller }) => {
      const header = map.uploadHeaderFromRequest(request)
      const actor = map.actorFromCaller(caller)
      const { id, expireTime } = await telling(log, startUpload(storage, actor, header))
      return { uploadId: id, expireTime }
    }),
    getUpload: unary(async (request, { caller }) => {
      const id = map.uploadFromRequest(request)
      return map.uploadMessage(await getUpload(storage, map.actorFromCaller(caller), id))
    }),
    openScope: unary(async (request, { caller }) => {
      const open = map.openScopeFromRequest(request)
      const { id, leaseMs } = await openScope(storage, map.actorFromCaller(caller), open)
      return { scope: id, lease: map.durationMessage(leaseMs) }
    }),
    keepScopeAlive: unary(async (request, { caller }) => {
      const scope = map.scopeFromRequest(request)
      return { expireTime: await keepScopeAlive(storage, map.actorFromCaller(caller), scope) }
    }),
    closeScope: unary(async (request, { caller }) => {
      const scope = map.scopeFromRequest(request)
      return { deletedCount: await closeScope(storage, map.actorFromCaller(caller), scope) }
    }),
  }
}
