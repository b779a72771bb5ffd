/** For tests: what scripted services have in common. */
import {
  type handleUnaryCall,
  Metadata,
  type Server,
  ServerCredentials,
  type status,
} from '@grpc/grpc-js'
import { AUTHENTICATION_KEY, DEVELOPMENT } from '@offstage/proto/authentication'
import { encodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import type { Reason } from '@offstage/proto/reasons'

/** A refusal to be answered. */
export interface Refused {
  readonly code: status
  readonly reason: Reason
  readonly metadata?: Record<string, string>
}

/** The error a handler answers with. */
export function refusalOf({ code, reason, metadata: facts }: Refused) {
  const metadata = new Metadata()
  const bytes = encodeErrorDetails({ code, reason, message: reason, metadata: facts })
  metadata.set(STATUS_DETAILS_KEY, bytes)
  return Object.assign(new Error(reason), { code, details: reason, metadata })
}

/** Listens on a free port of this machine; resolves to the address. */
export async function listenLocally(server: Server): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error ? reject(error) : resolve(port),
  )
  return `127.0.0.1:${await promise}`
}

/** Adds a health check that answers by a clock of the test's, as a service in development mode. */
export function addHealth(server: Server, nowMs: () => number): void {
  const pass = (bytes: Buffer) => bytes
  const check = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: pass,
    requestDeserialize: pass,
    responseSerialize: pass,
    responseDeserialize: pass,
  } as const
  const handler: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    const headers = new Metadata()
    headers.set('date', new Date(nowMs()).toUTCString())
    headers.set(AUTHENTICATION_KEY, DEVELOPMENT)
    call.sendMetadata(headers)
    callback(null, Buffer.alloc(0))
  }
  server.addService({ check }, { check: handler })
}
