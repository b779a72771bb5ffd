export {
  type Authenticate,
  type Caller,
  developmentAuthenticate,
  type Role,
} from './authenticate.ts'
export { type BidiCall, bidiStream } from './bidi-stream.ts'
export { type AbortCause, CallAborted, type CallContext } from './call-context.ts'
export { clientStream } from './client-stream.ts'
export { ListenError, namingPort } from './listen.ts'
export { Refusal, type RefusalInit } from './refusal.ts'
export { createGrpcServer, type GrpcServer, type GrpcServerOptions } from './server.ts'
export { serverStream } from './server-stream.ts'
export { type FaultStatus, statusFromError } from './status-from-error.ts'
export { unary } from './unary.ts'
