import { status } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import { JobKind, type JobSpec, KeyConflictPolicy, type Payload } from '@offstage/proto/jobs'
import { OffstageError } from '../grpc/mod.ts'
import { isByteStream, isByteStreamSchema } from '../jobs/byte-stream.ts'
import { checkValue } from '../jobs/check-value.ts'
import { type Codec, encodeBy, isWrapping } from '../jobs/codec.ts'
import { CodecError } from '../jobs/codec-error.ts'
import type { JobMethod } from '../jobs/method.ts'
import { NotEncodableError } from '../jobs/not-encodable.ts'
import {
  type EncodedValue,
  INLINE_BYTES_MAX,
  JSON_TYPE,
  PARAMS_BYTES_MAX,
} from '../jobs/payload.ts'
import { childrenPolicyFrom, deadlinesFrom, laneFrom, retryPolicyFrom } from '../jobs/policies.ts'
import { codecRefused } from './decode.ts'
import type { Place } from './foreground.ts'
import { paramsInvalid, paramsTooLarge } from './job-errors.ts'
import { keyText } from './job-key.ts'
import { labelRule } from './limit-rules.ts'
import type { KeyConflict, StartOptions } from './options.ts'
import type { Session } from './session.ts'
import { putStream } from './stream-params.ts'

/** What to start: a job or its method, or the name of one whose schemas are not known here. */
export type StartTarget = JobMethod | string

const POLICIES = {
  refuse: KeyConflictPolicy.KEY_CONFLICT_POLICY_REFUSE,
  'return-running': KeyConflictPolicy.KEY_CONFLICT_POLICY_RETURN_RUNNING,
  'queue-behind': KeyConflictPolicy.KEY_CONFLICT_POLICY_QUEUE_BEHIND,
} as const satisfies Record<KeyConflict, KeyConflictPolicy>

/** What `onKeyConflict` may say. */
export const keyConflicts: readonly string[] = Object.keys(POLICIES)

/** The stable name of what is to be started (row J1). */
export function methodOf(target: StartTarget): string {
  return typeof target === 'string' ? target : target.method
}

/** That of the definition, where it is known. */
export function codecOf(target: StartTarget): Codec | undefined {
  return typeof target === 'string' ? undefined : target.codec
}

const ON_EXECUTORS: Place = { mode: 0, executorSessionId: '' }

/**
 * All of a start but its parameters. Made once for a bulk start; each job is a copy with its own
 * parameters and request id.
 */
export function specFrom(
  {
    identity,
    leaseId = '',
  }: {
    readonly identity: Pick<Session['identity'], 'parentJobId' | 'scope'>
    readonly leaseId?: string
  },
  target: StartTarget,
  options: StartOptions,
  params: Payload | undefined,
  requestId: string,
  { mode, executorSessionId }: Place = ON_EXECUTORS,
  labels = options.labels ?? {},
): JobSpec {
  const { additionalResult = false, startAfter, onKeyConflict } = options
  return {
    method: methodOf(target),
    params,
    paramsOwned: isMoved(params),
    key: keyText(options.key),
    keyConflictPolicy: onKeyConflict === undefined ? 0 : POLICIES[onKeyConflict],
    requestId,
    kind: JobKind.JOB_KIND_UNSPECIFIED,
    parentJobId: identity.parentJobId,
    lane: laneFrom(options.lane),
    fallbackMethod: options.fallbackMethod ?? '',
    scope: options.scope ?? identity.scope,
    resultAddress: options.resultAddress ?? '',
    wantAdditionalResult: additionalResult !== false,
    additionalResultAddress: typeof additionalResult === 'string' ? additionalResult : '',
    startTime: startAfter instanceof Date ? startAfter : undefined,
    delay: typeof startAfter === 'number' ? durationFrom(startAfter) : undefined,
    priority: options.priority ?? 0,
    labels,
    displayName: options.displayName ?? '',
    retryPolicy: retryPolicyFrom(options.retry),
    deadlines: deadlinesFrom(options.deadlines),
    cancelWithParent: options.cancelWithParent ?? false,
    attached: options.attached ?? false,
    childrenPolicy: childrenPolicyFrom(options.childrenPolicy),
    mode,
    executorSessionId,
    traceparent: '',
    pool: options.pool ?? '',
    requiredVersion: options.requiredVersion ?? '',
    tracestate: '',
    automatic: options.automatic ?? false,
    leaseId: options.leaseId ?? leaseId,
  }
}

/**
 * The labels of a start: its own, and over them those its definition makes of the parameters by a function. The scheduler evaluates
 * expressions.
 * @throws TypeError or RangeError naming the method, where the definition makes what are no labels.
 */
export function labelsFor(
  target: StartTarget,
  params: unknown,
  labels: StartOptions['labels'] = {},
): Readonly<Record<string, string>> {
  if (typeof target === 'string' || typeof target.labels !== 'function') return labels
  const made = target.labels(params)
  labelRule(made, `labels of ${target.method}`)
  const all = { ...labels, ...made }
  labelRule(all, `labels of ${target.method} and of the start`)
  return all
}

/** Whether the parameters were moved to temp storage; they are the job's own then, and end with it. */
export function isMoved(params: Payload | undefined): boolean {
  return params?.source?.$case === 'address'
}

/** Answers after which there is no job that has the parameters. */
const REFUSALS: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.ALREADY_EXISTS,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.PERMISSION_DENIED,
  status.UNIMPLEMENTED,
])

/** Deletes the parameters that were moved for a start that was refused. One short try: they end by themselves, later. */
export async function dropRefused(
  session: Session,
  params: Payload | undefined,
  error: unknown,
): Promise<void> {
  if (params?.source?.$case !== 'address') return
  if (!(error instanceof OffstageError) || !REFUSALS.has(error.code)) return
  const { values } = session.connection
  const request = { address: params.source.value }
  const terms = { attempts: 1, deadlineMs: 5_000 }
  await session.callStorage(values.deleteValue.bind(values), request, terms).catch(() => {
    // Not what the caller is to be told.
  })
}

/**
 * The parameters as they travel: checked against the definition's schema (row J2), inline up to 64 KiB, by way of
 * temp storage above (row J3). A promise only where the schema, the storage or a wrapper makes it one.
 * @throws OffstageError PARAMS_INVALID with the offending fields, CODEC_FAILED.
 */
export function paramsFrom(
  session: Session,
  target: StartTarget,
  params: unknown,
  options: StartOptions,
): Payload | undefined | Promise<Payload | undefined> {
  const schema = typeof target === 'string' ? undefined : target.params
  if (schema === undefined) return payloadFrom(session, target, params, options)
  const checked = checkValue(schema, params, 'params')
  const pass = (outcome: Awaited<typeof checked>) => {
    // Sent as given: the executor's check fills in defaults, so a transformation happens once.
    if (outcome.kind === 'valid') return payloadFrom(session, target, params, options)
    throw paramsInvalid(methodOf(target), outcome.violations)
  }
  return checked instanceof Promise ? checked.then(pass) : pass(checked)
}

function payloadFrom(
  session: Session,
  target: StartTarget,
  params: unknown,
  options: StartOptions,
): Payload | undefined | Promise<Payload> {
  const codec = codecOf(target) ?? session.codec
  if (isWrapping(codec) && isStreamed(target, params)) throw streamUnwrappable(target)
  if (isByteStream(params)) {
    const put = putStream(session, methodOf(target), params, options)
    return put.catch((error: unknown) => refuseParams(target, error))
  }
  const encoded = encodeParams(codec, target, params)
  if (encoded === undefined) return undefined
  return encoded instanceof Promise
    ? encoded.then((wrapped) => payloadOf(session, target, wrapped, options))
    : payloadOf(session, target, encoded, options)
}

function isStreamed(target: StartTarget, params: unknown): boolean {
  return isByteStream(params) || (typeof target === 'object' && isByteStreamSchema(target.params))
}

/** Better than to send in clear what the codec is to seal. */
function streamUnwrappable(target: StartTarget): OffstageError {
  const description =
    "is a stream, and the codec wraps, which a stream does not pass: give the method `codec: 'json'`, and wrap its bytes yourself"
  return paramsInvalid(methodOf(target), [{ field: 'params', description }])
}

function payloadOf(
  session: Session,
  target: StartTarget,
  { bytes, contentType }: EncodedValue,
  { signal }: StartOptions,
): Payload | Promise<Payload> {
  if (bytes.byteLength > PARAMS_BYTES_MAX) {
    throw paramsTooLarge(methodOf(target), bytes.byteLength)
  }
  if (bytes.byteLength > INLINE_BYTES_MAX) {
    return session.storage
      .putBytes(bytes, { contentType: contentType || JSON_TYPE, forJob: true, signal })
      .then(({ address, sha256 }) => ({
        source: { $case: 'address', value: address },
        contentType,
        sha256: Buffer.from(sha256, 'hex'),
      }))
  }
  return { source: { $case: 'inline', value: bytes }, contentType }
}

export function encodeParams(
  codec: Codec | undefined,
  target: StartTarget,
  params: unknown,
): ReturnType<typeof encodeBy> {
  try {
    const encoded = encodeBy(codec, params)
    if (!(encoded instanceof Promise)) return encoded
    return encoded.catch((error) => refuseParams(target, error))
  } catch (error) {
    return refuseParams(target, error)
  }
}

function refuseParams(target: StartTarget, error: unknown): never {
  if (error instanceof CodecError) throw codecRefused(error)
  if (!(error instanceof NotEncodableError)) throw error
  const field = error.path === '' ? 'params' : `params.${error.path}`
  throw paramsInvalid(methodOf(target), [{ field, description: error.problem }])
}
