/** Authoring of jobs: definitions, what handlers see, how values and options look on the wire. No I/O. */
export { isMethodName } from '@offstage/proto/field-rules'
export { type CheckedValue, checkValue, type ValueViolation } from './check-value.ts'
export type { JobContext } from './context.ts'
export {
  type DeadlineOptions,
  defineJob,
  isJobDefinition,
  type JobDefinition,
  type LaneName,
  type RetryOptions,
} from './definition.ts'
export { isRetryable, NonRetryableError } from './errors.ts'
export { NotEncodableError } from './not-encodable.ts'
export { pathsOf, withoutOwnFrames } from './own-frames.ts'
export {
  BYTES_TYPE,
  bytesOf,
  decodeValue,
  type EncodedValue,
  encodeValue,
  INLINE_BYTES_MAX,
  JSON_TYPE,
  jsonText,
} from './payload.ts'
export { deadlinesFrom, durationFrom, laneFrom, retryPolicyFrom } from './policies.ts'
