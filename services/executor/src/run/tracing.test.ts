import { Server, ServerCredentials } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { setup } from '../testing/setup.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'

/** Takes spans as an OTLP collector does and keeps the bytes. */
async function startCollector() {
  const exports: Buffer[] = []
  const server = new Server()
  const bytes = (value: Buffer) => value
  const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
  const method = { path, requestStream: false, responseStream: false } as const
  const codec = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  }
  server.addService(
    { export: { ...method, ...codec } },
    {
      export: (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) => {
        exports.push(call.request)
        callback(null, Buffer.alloc(0))
      },
    },
  )
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  )
  const url = `http://127.0.0.1:${await promise}`
  return { url, exports, [Symbol.dispose]: () => server.forceShutdown() }
}

test('each attempt is a span in the trace that started its job, exported at the latest at the stop', async () => {
  using collector = await startCollector()
  await using it = await setup({ OFFSTAGE_OTLP_ENDPOINT: collector.url })
  const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`
  it.attachment.assign('a', 'test.echo', 1, { traceparent })
  expect(await it.attachment.value('a')).toBe(1)
  await it.executor.stop()
  const exported = Buffer.concat(collector.exports)
  expect(exported.includes('run test.echo')).toBe(true)
  expect(exported.includes(Buffer.from(TRACE_ID, 'hex'))).toBe(true)
})
