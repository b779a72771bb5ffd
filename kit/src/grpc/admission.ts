/**
 * What comes before the handlers of a server. grpc-js calls those of one request only once that is there as a whole; here it is known
 * who calls before anything but the headers is read.
 *
 * 1. No message of a call that is not admitted is read, and its stream is reset soon.
 * 2. What is held of messages that are not whole yet is bounded, in time and over all, and so is what compressed ones become.
 * 3. Who need not be asked about pays no await.
 */
import type { ServerInterceptingCall, ServerInterceptor } from '@grpc/grpc-js'
import type { Right } from '../auth/mod.ts'
import type { Edge } from './edge.ts'
import { type BaseCall, type Called, type Entrance, IncomingCall } from './incoming-call.ts'
import { inflations } from './inflations.ts'
import type { Strangers } from './strangers.ts'
import type { UnfinishedRequests } from './unfinished-requests.ts'

/** For all calls of a server; `rights` says what callers of a path need, where they need any. */
export function admission(
  edge: Edge,
  rights: ReadonlyMap<string, Right>,
  unfinished: UnfinishedRequests,
  strangers: Strangers,
): ServerInterceptor {
  const entrance: Entrance = { edge, unfinished, strangers, inflations: inflations() }
  const known = new Map<string, Called>()
  return ({ path, requestStream }, next) => {
    let called = known.get(path)
    if (called === undefined) {
      called = { path, manyMessages: requestStream, right: rights.get(path) }
      known.set(path, called)
    }
    // Its type names a class of grpc-js, and asks for what its interface says.
    const call: unknown = new IncomingCall(entrance, called, next as BaseCall)
    return call as ServerInterceptingCall
  }
}
