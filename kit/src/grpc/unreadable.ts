import type { ServiceDefinition } from '@grpc/grpc-js'
import { Refusal } from './refusal.ts'

/** Stands for a request that could not be decoded, until its handler's turn comes. */
class Unreadable {
  readonly cause: unknown

  constructor(cause: unknown) {
    this.cause = cause
  }
}

/** The definition with requests that never fail to decode: grpc-js would end the call with INTERNAL and no word why. */
export function withUnreadable(definition: ServiceDefinition): ServiceDefinition {
  const guarded = Object.entries(definition).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): unknown => {
      try {
        return method.requestDeserialize(bytes)
      } catch (cause) {
        return new Unreadable(cause)
      }
    }
    return [name, { ...method, requestDeserialize }]
  })
  return Object.fromEntries(guarded)
}

/** The request, or the refusal of one that could not be decoded. */
export function readable<Req>(request: Req): Req {
  if (!(request instanceof Unreadable)) return request
  const { cause } = request
  throw new Refusal({
    reason: 'INVALID_FIELD',
    message: `the message cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  })
}
