import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js'
import { StorageServiceService } from '@offstage/proto/storage'
import { expect, test } from 'vitest'
import { Relay } from './relay.ts'

/** Where sockets of the system have names of 104 bytes, and temporary folders such ones. */
const SOCKET_BYTES_MAX = 103
const TEMPORARY_FOLDER = '/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T'

const asItIs = (message: Buffer) => message

test('a message that no service would take is not taken into the memory of the executor', async () => {
  const relay = new Relay({ scheduler: '127.0.0.1:1', storage: '127.0.0.1:1', tls: {} as never })
  await relay.start()
  const { places } = relay
  const client = new Client(places.storage, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  })
  const { path } = StorageServiceService.describeValue
  const call = (bytes: number) =>
    new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(path, asItIs, asItIs, Buffer.alloc(bytes), (error) => resolve(error))
    })
  // It goes on, to nobody.
  expect(await call(1_000)).toMatchObject({ code: status.UNAVAILABLE })
  expect(await call(17 * 2 ** 20)).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
  client.close()
  await relay.stop()
})

test('its sockets have names that every system takes', () => {
  const { TMPDIR } = process.env
  process.env.TMPDIR = TEMPORARY_FOLDER
  const { places } = new Relay({ scheduler: 'a:1', storage: 'b:1', tls: {} as never })
  process.env.TMPDIR = TMPDIR
  for (const place of Object.values(places)) {
    expect(Buffer.byteLength(place.slice('unix:'.length))).toBeLessThanOrEqual(SOCKET_BYTES_MAX)
  }
})
