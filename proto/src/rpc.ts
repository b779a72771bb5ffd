/** Google's error model: google.rpc.Status and its details. */
export { Any } from '../gen/google/protobuf/any.ts'
export { Duration } from '../gen/google/protobuf/duration.ts'
export {
  BadRequest,
  BadRequest_FieldViolation,
  ErrorInfo,
  Help,
  Help_Link,
  RetryInfo,
} from '../gen/google/rpc/error_details.ts'
export { Status } from '../gen/google/rpc/status.ts'
