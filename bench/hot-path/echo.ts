import { Client, credentials, type ServiceDefinition } from '@grpc/grpc-js'

const bytes = (value: Buffer) => value

export const echoService = {
  echo: {
    path: '/bench.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
} satisfies ServiceDefinition

export function connectEcho(address: string): { echo(): Promise<void>; close(): void } {
  const client = new Client(address, credentials.createInsecure())
  const { path } = echoService.echo
  const message = Buffer.alloc(100)
  return {
    echo: () =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, bytes, bytes, message, (error) =>
          error === null ? resolve() : reject(error),
        )
      }),
    close: () => client.close(),
  }
}
