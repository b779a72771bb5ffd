import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { JobServiceService } from '@offstage/proto/jobs'
import { StorageServiceService } from '@offstage/proto/storage'
import { expect, test } from 'vitest'
import { createLogger } from '../telemetry/mod.ts'
import { bidiStream } from './bidi-stream.ts'
import type { Implementation } from './bind-services.ts'
import { createGrpcServer } from './server.ts'
import { serverStream } from './server-stream.ts'
import { unary } from './unary.ts'

const log = createLogger({ name: 'test', level: 'silent' })

/** What a call of the method fails with, whatever its shape. */
function faultOf(client: Client, method: MethodDefinition<object, object>): Promise<ServiceError> {
  const { path, requestStream, responseStream } = method
  const codec = [() => Buffer.alloc(0), (bytes: Buffer): object => bytes] as const
  return new Promise((resolve, reject) => {
    const done = (error: ServiceError | null) => (error ? resolve(error) : reject(new Error(path)))
    if (responseStream) {
      const call = requestStream
        ? client.makeBidiStreamRequest(path, ...codec, new Metadata())
        : client.makeServerStreamRequest(path, ...codec, {}, new Metadata())
      call.on('error', resolve).on('end', reject).resume()
    } else if (requestStream) client.makeClientStreamRequest(path, ...codec, new Metadata(), done)
    else client.makeUnaryRequest(path, ...codec, {}, new Metadata(), done)
  })
}

test('every call that is meant for another service is answered with who answers and who was meant', async () => {
  const idle = {
    unary: unary('identified', () => ({})),
    stream: serverStream('identified', async function* () {}),
  }
  const bidi = bidiStream('identified', async () => {})
  const handlers = Object.entries(JobServiceService).map(
    ([name, { requestStream, responseStream }]) => [
      name,
      requestStream ? bidi : responseStream ? idle.stream : idle.unary,
    ],
  )
  const implementation = Object.fromEntries(handlers) as Implementation
  await using server = createGrpcServer({
    name: 'test',
    host: '127.0.0.1',
    port: 0,
    log,
    services: [{ definition: JobServiceService, implementation }],
  })
  await server.start()
  const client = new Client(server.address, credentials.createInsecure())
  for (const method of Object.values(StorageServiceService)) {
    const error = await faultOf(client, method as MethodDefinition<object, object>)
    const [bytes] = error.metadata.get(STATUS_DETAILS_KEY)
    expect(decodeErrorDetails(bytes as Buffer)).toMatchObject({
      reason: 'WRONG_SERVICE',
      message:
        'this is the scheduler; offstage.storage.v1.StorageService is served by the storage service',
      metadata: { answered: 'the scheduler', meant: 'the storage service' },
    })
  }
  client.close()
})
