export { type BidiCall, type BidiMethod, openBidi } from './bidi-stream.ts'
export type { CallOptions } from './call-options.ts'
export {
  type Channel,
  type ChannelOptions,
  type ChannelTls,
  createChannel,
  type Target,
  withoutLogin,
} from './channel.ts'
export { type ClientStreamMethod, callClientStream } from './client-stream.ts'
export { errorFromStatus } from './error-from-status.ts'
export { OffstageError, type OffstageErrorInit } from './offstage-error.ts'
export { closedError } from './open-call.ts'
export { type RetryPolicy, retrying } from './retrying.ts'
export { createSchedulerChannel } from './scheduler-channel.ts'
export { callServerStream, type ServerStreamMethod } from './server-stream.ts'
export { callUnary, type UnaryMethod } from './unary.ts'
