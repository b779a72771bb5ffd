/** Authoring of jobs: definitions, what handlers see, how values and options look on the wire. No I/O. */
export { isMethodName } from '@offstage/proto/field-rules'
export {
  type ByteSource,
  type ByteStream,
  byteStream,
  isByteStream,
  isByteStreamSchema,
  streamOf,
} from './byte-stream.ts'
export { type CheckedValue, checkValue, type ValueViolation } from './check-value.ts'
export {
  type Codec,
  type CodecOptions,
  decodeBy,
  encodeBy,
  isWrapping,
  type KnownCodecs,
  wrapBy,
} from './codec.ts'
export { CodecError } from './codec-error.ts'
export type { JobContext } from './context.ts'
export { defineMethod } from './define-method.ts'
export { defineJob, isJobDefinition, type JobDefinition } from './definition.ts'
export { isRetryable, NonRetryableError } from './errors.ts'
export type {
  ChildrenPolicy,
  DeadlineOptions,
  JobLimit,
  JobMethod,
  LabelExpressions,
  LabelFunction,
  LaneName,
  ParamsOf,
  RateLimit,
  Received,
  ResultOf,
  RetryOptions,
  RoleName,
  StartableBy,
} from './method.ts'
export { NotEncodableError } from './not-encodable.ts'
export { pathsOf, withoutOwnFrames } from './own-frames.ts'
export {
  BYTES_TYPE,
  bytesOf,
  decodeValue,
  type EncodedValue,
  encodeValue,
  INLINE_BYTES_MAX,
  isTextType,
  JSON_TYPE,
  jsonText,
} from './payload.ts'
export {
  childrenPolicyFrom,
  deadlinesFrom,
  jobLimitFrom,
  laneFrom,
  retryPolicyFrom,
  startersFrom,
} from './policies.ts'
export { STOP_CODES, type StopCode, stopCodeOf } from './stop-code.ts'
export {
  type Cause,
  type Told,
  WRAPPED_TEXT,
  wrapCause,
  wrapReport,
  wrapsReports,
  wrapTold,
} from './wrapped-report.ts'
export { isWrappedType } from './wrapped-type.ts'
export type { Wrapped, Wrapper } from './wrapper.ts'
