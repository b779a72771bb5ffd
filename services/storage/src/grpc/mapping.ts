/** The only place where proto types and domain types meet. */
import { timeFault } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import type {
  Act,
  DescribeValueRequest,
  GetUploadResponse,
  GetValueRequest,
  ListActsRequest,
  ListValuesRequest,
  OpenScopeRequest as OpenScopeMessage,
  PutValueHeader,
  PutValueRequest,
  PutValueTrailer,
  ReadAndDeleteValueRequest,
  ReserveAddressRequest,
  StartUploadRequest,
  Value,
} from '@offstage/proto/storage'
import {
  type Address,
  parseAddress,
  parseNamespace,
  parseScopeId,
  parseUploadId,
  type ScopeId,
  type UploadId,
} from '../domain/identifier.ts'
import { CONTENT_TYPE_DEFAULT } from '../domain/limits.ts'
import type {
  PutHeader,
  PutOpening,
  PutPart,
  PutTrailer,
  ReadPart,
  TempValue,
} from '../domain/temp-value.ts'
import type { RecordedAct } from '../ports/acts.ts'
import type { FinishedUpload, Upload } from '../ports/uploads.ts'
import { invalidField } from '../refusals.ts'
import type { OpenScopeRequest } from '../scopes/manage-scopes.ts'
import type { ListRequest, ReserveRequest } from '../values/manage-values.ts'
import type { TakeQuery } from '../values/read-and-delete-value.ts'
import type { ReadQuery } from '../values/read-value.ts'
import { FieldCheck } from './field-check.ts'

const TIME_TO_LIVE = { min: 1, max: LIMITS.timeToLiveMsMax }
const LEASE = { min: LIMITS.scopeLeaseMsMin, max: LIMITS.scopeLeaseMsMax }

/** The one id a request has. */
function required<Id>(field: string, text: string, parse: (text: string) => Id | undefined): Id {
  const check = new FieldCheck()
  const id = check.requiredId(field, text, parse)
  return check.done(id)
}

export const addressFromRequest = ({ address }: DescribeValueRequest): Address =>
  required('address', address, parseAddress)

export const scopeFromRequest = ({ scope }: { scope: string }): ScopeId =>
  required('scope', scope, parseScopeId)

export const uploadFromRequest = ({ uploadId }: { uploadId: string }): UploadId =>
  required('upload_id', uploadId, parseUploadId)

/** The parts of a put, each checked as it comes. */
export async function* putPartsFromRequests(
  requests: AsyncIterable<PutValueRequest>,
): AsyncGenerator<PutPart> {
  for await (const { part } of requests) {
    switch (part?.$case) {
      case 'header':
        yield openingFrom(part.value)
        break
      case 'chunk':
        yield { kind: 'chunk', bytes: part.value }
        break
      case 'trailer':
        yield { kind: 'trailer', trailer: trailerFrom(part.value) }
        break
      case undefined:
        throw invalidField('part', 'must be a header, a chunk or a trailer')
    }
  }
}

function openingFrom(header: PutValueHeader): PutOpening {
  if (header.uploadId !== '') return resumeFrom(header)
  const check = new FieldCheck()
  if (header.offset !== 0n) check.fault('header.offset', 'is for uploads only')
  const promisesTrailer = header.trailer
  return { kind: 'header', header: check.done(headerFrom(header, check)), promisesTrailer }
}

function trailerFrom({ sha256 }: PutValueTrailer): PutTrailer {
  const check = new FieldCheck()
  return check.done({ sha256: check.sha256('trailer.sha256', sha256) })
}

function resumeFrom(header: PutValueHeader): PutOpening {
  const { uploadId, offset, trailer, contentType } = header
  const check = new FieldCheck()
  if (header.requestId !== '') check.fault('header.request_id', 'is for puts without an upload')
  const whole = headerFrom(header, check)
  const told = { ...whole, contentType: contentType === '' ? undefined : whole.contentType }
  const id = check.id('header.upload_id', uploadId, parseUploadId)
  const at = check.count('header.offset', offset)
  const resume = { uploadId: check.done(id), offset: check.done(at), told }
  return { kind: 'resume', header: resume, promisesTrailer: trailer }
}

export function uploadHeaderFromRequest({ header }: StartUploadRequest): PutHeader {
  const check = new FieldCheck()
  if (header === undefined) throw invalidField('header', 'is required')
  if (header.uploadId !== '') check.fault('header.upload_id', 'must be empty')
  if (header.offset !== 0n) check.fault('header.offset', 'must be 0')
  if (header.trailer) check.fault('header.trailer', 'is promised to PutValue only')
  if (header.requestId !== '') check.fault('header.request_id', 'is for PutValue without an upload')
  return check.done(headerFrom(header, check))
}

function headerFrom(header: PutValueHeader, check: FieldCheck): PutHeader {
  const { contentType, owner, size, requestId, forJob } = header
  if (forJob) refusePlaces(header, check)
  return {
    namespace: check.id('header.namespace', header.namespace, parseNamespace),
    address: check.id('header.address', header.address, parseAddress),
    contentType: check.contentType('header.content_type', contentType) || CONTENT_TYPE_DEFAULT,
    scope: check.id('header.scope', header.scope, parseScopeId),
    timeToLiveMs: check.durationMs('header.time_to_live', header.timeToLive, TIME_TO_LIVE),
    forJob,
    sha256: check.sha256('header.sha256', header.sha256),
    size: size === undefined ? undefined : check.count('header.size', size),
    owner: check.text('header.owner', owner, LIMITS.ownerCharactersMax) || undefined,
    requestId:
      check.text('header.request_id', requestId, LIMITS.requestIdCharactersMax) || undefined,
  }
}

/** A job decides when its own ends. */
function refusePlaces({ address, scope, timeToLive }: PutValueHeader, check: FieldCheck): void {
  if (address !== '') check.fault('header.address', 'must be empty with for_job')
  if (scope !== '') check.fault('header.scope', 'must be empty with for_job')
  if (timeToLive !== undefined) check.fault('header.time_to_live', 'must not be set with for_job')
}

export function readQueryFromRequest(request: GetValueRequest): ReadQuery {
  const check = new FieldCheck()
  const address = check.requiredId('address', request.address, parseAddress)
  const offset = check.count('offset', request.offset)
  const ifSha256 = check.sha256('if_sha256', request.ifSha256)
  return { address: check.done(address), offset: check.done(offset), ifSha256 }
}

export function takeQueryFromRequest(request: ReadAndDeleteValueRequest): TakeQuery {
  const check = new FieldCheck()
  const address = check.requiredId('address', request.address, parseAddress)
  const ifSha256 = check.sha256('if_sha256', request.ifSha256)
  return { address: check.done(address), ifSha256 }
}

export function reserveFromRequest(request: ReserveAddressRequest): ReserveRequest {
  const check = new FieldCheck()
  return check.done({
    namespace: check.id('namespace', request.namespace, parseNamespace),
    scope: check.id('scope', request.scope, parseScopeId),
    timeToLiveMs: check.durationMs('time_to_live', request.timeToLive, TIME_TO_LIVE),
    requestId: requestIdFrom(request, check),
  })
}

export function listFromRequest(request: ListValuesRequest): ListRequest {
  const check = new FieldCheck()
  const { pageSize, pageToken } = request
  if (pageSize < 0 || pageSize > LIMITS.pageSizeMax) {
    check.fault('page_size', `must be from 1 to ${LIMITS.pageSizeMax}, or 0 for the default`)
  }
  const namespace = check.id('namespace', request.namespace, parseNamespace)
  const scope = check.id('scope', request.scope, parseScopeId)
  return check.done({ namespace, scope, pageToken, pageSize: pageSize || undefined })
}

export function actsFromRequest(request: ListActsRequest) {
  const check = new FieldCheck()
  const { timeFrom: from, timeBefore: before, pageSize } = request
  for (const [field, time] of Object.entries({ time_from: from, time_before: before })) {
    const fault = timeFault(time)
    if (fault !== undefined) check.fault(field, fault)
  }
  if (pageSize < 0 || pageSize > LIMITS.pageSizeMax) {
    check.fault('page_size', `must be from 1 to ${LIMITS.pageSizeMax}, or 0 for the default`)
  }
  const namespace = check.id('namespace', request.namespace, parseNamespace)
  const user = check.text('user', request.user, LIMITS.ownerCharactersMax) || undefined
  return check.done({ namespace, user, from, before, pageSize: pageSize || undefined })
}

export function actMessage({ time, ...act }: RecordedAct): Act {
  const { user, peer, call, namespace, target, owner } = act
  return { actTime: time, user, roles: [...act.roles], peer, call, namespace, target, owner }
}

export function openScopeFromRequest(request: OpenScopeMessage): OpenScopeRequest {
  const check = new FieldCheck()
  return check.done({
    namespace: check.id('namespace', request.namespace, parseNamespace),
    leaseMs: check.durationMs('lease', request.lease, LEASE),
    displayName:
      check.text('display_name', request.displayName, LIMITS.displayNameCharactersMax) ?? '',
    requestId: requestIdFrom(request, check),
  })
}

function requestIdFrom({ requestId }: { requestId: string }, check: FieldCheck) {
  return check.text('request_id', requestId, LIMITS.requestIdCharactersMax) || undefined
}

export function valueMessage(value: TempValue): Value {
  const stored = value.kind === 'stored' ? value : undefined
  return {
    address: value.address,
    namespace: value.namespace,
    owner: value.owner,
    size: BigInt(stored?.size ?? 0),
    contentType: stored?.contentType ?? '',
    sha256: stored?.sha256 ?? Buffer.alloc(0),
    createTime: value.createTime,
    expireTime: value.expireTime,
    scope: value.scope ?? '',
    reserved: value.kind === 'reserved',
  }
}

export function uploadMessage(upload: Upload | FinishedUpload): GetUploadResponse {
  if (upload.kind === 'unfinished') {
    const { received, expireTime } = upload
    return { received: BigInt(received), expireTime, value: undefined }
  }
  const { value, forgetTime } = upload
  return { received: BigInt(value.size), expireTime: forgetTime, value: valueMessage(value) }
}

type ReadMessage = {
  part: { $case: 'value'; value: Value } | { $case: 'chunk'; value: Buffer }
}

export async function* readMessages(parts: AsyncIterable<ReadPart>): AsyncGenerator<ReadMessage> {
  for await (const part of parts) {
    if (part.kind === 'chunk') yield { part: { $case: 'chunk', value: part.bytes } }
    else yield { part: { $case: 'value', value: valueMessage(part.value) } }
  }
}
