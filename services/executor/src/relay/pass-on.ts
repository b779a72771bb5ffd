import type { Duplex } from 'node:stream'
import {
  type Client,
  type handleBidiStreamingCall,
  type Metadata,
  type ServiceError,
  type StatusObject,
  status,
} from '@grpc/grpc-js'
import { isAttemptToken } from '@offstage/kit/auth/attempts'

const BEARER = /^Bearer (\S+)$/
/** Where the services read no tokens they do not read this one either; where they do it is nobody's. */
const NOBODY = 'Bearer development'
const REFUSED = {
  code: status.UNAUTHENTICATED,
  details: 'a handler in a process calls by the token of its attempt, and by no other',
}

/** Those of grpc-js are such streams, and more narrowly typed. */
const duplex = (stream: unknown) => stream as Duplex

const asItIs = (message: Buffer) => message

/** Whatever one side says the other hears: messages, metadata, the status with its details, the deadline and a cancel. */
export function passOn(client: Client, path: string): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    const metadata = bearing(call.metadata)
    if (metadata === undefined) {
      call.emit('error', REFUSED)
      return
    }
    const options = { deadline: call.getDeadline() }
    const onward = client.makeBidiStreamRequest(path, asItIs, asItIs, metadata, options)
    let fault: ServiceError | undefined
    let trailers: Metadata | undefined
    onward.on('metadata', (headers: Metadata) => call.sendMetadata(headers))
    onward.on('error', (error: ServiceError) => {
      fault = error
    })
    onward.on('status', (ended: StatusObject) => {
      trailers = ended.metadata
    })
    // Behind the last message.
    onward.on('end', () => {
      if (fault === undefined) call.end(trailers)
      else call.emit('error', fault)
    })
    call.on('cancelled', () => onward.cancel())
    duplex(call).pipe(duplex(onward))
    duplex(onward).pipe(duplex(call), { end: false })
  }
}

/** With one token; undefined where that is none of an attempt. */
function bearing(metadata: Metadata): Metadata | undefined {
  const [authorization = NOBODY] = metadata.get('authorization').map(String)
  const [, token = ''] = BEARER.exec(authorization) ?? []
  if (authorization !== NOBODY && !isAttemptToken(token)) return undefined
  const passed = metadata.clone()
  passed.set('authorization', authorization)
  return passed
}
