import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js'
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader'
import { JobServiceService } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { createLogger } from '../telemetry/mod.ts'
import { bidiStream } from './bidi-stream.ts'
import type { Implementation } from './bind-services.ts'
import { Refusal } from './refusal.ts'
import { createGrpcServer } from './server.ts'
import { serverStream } from './server-stream.ts'
import { unary } from './unary.ts'

const require = createRequire(import.meta.url)
const packageFolder = dirname(require.resolve('@grpc/reflection/package.json'))

interface ReflectionAnswer {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] }
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] }
  readonly error_response?: { readonly error_code: number }
}

/** Asks one question of the reflection service of the given version. */
async function reflect(
  client: Client,
  version: string,
  question: object,
): Promise<ReflectionAnswer> {
  const proto = join(packageFolder, `build/proto/grpc/reflection/${version}/reflection.proto`)
  const services = loadSync(proto, { keepCase: true })
  const service = services[`grpc.reflection.${version}.ServerReflection`] as ServiceDefinition
  const method = service.ServerReflectionInfo as MethodDefinition<object, ReflectionAnswer>
  const { path, requestSerialize, responseDeserialize } = method
  const call = client.makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    new Metadata(),
  )
  call.end(question)
  for await (const answer of call) return answer as ReflectionAnswer
  throw new Error('reflection did not answer')
}

/** The real job service with handlers that refuse everything. */
function refuseAll(): Implementation {
  const refuse = (): never => {
    throw new Refusal({ reason: 'NOT_IMPLEMENTED', message: 'not here' })
  }
  const methods = Object.entries(JobServiceService).map(([name, method]) => {
    if (method.requestStream) return [name, bidiStream('identified', refuse)]
    return [
      name,
      method.responseStream ? serverStream('identified', refuse) : unary('identified', refuse),
    ]
  })
  return Object.fromEntries(methods)
}

async function setup() {
  const server = createGrpcServer({
    name: 'test',
    host: '127.0.0.1',
    port: 0,
    services: [{ definition: JobServiceService, implementation: refuseAll() }],
    log: createLogger({ name: 'test', level: 'silent' }),
  })
  await server.start()
  const client = new Client(server.address, credentials.createInsecure())
  return {
    client,
    async [Symbol.asyncDispose]() {
      client.close()
      await server.stop()
    },
  }
}

test.each(['v1', 'v1alpha'])(
  'reflection %s lists what is served and describes it',
  async (version) => {
    await using bundle = await setup()
    const list = await reflect(bundle.client, version, { list_services: '*' })
    expect(list.list_services_response?.service.map(({ name }) => name).toSorted()).toEqual([
      'grpc.health.v1.Health',
      'offstage.jobs.v1.JobService',
    ])
    const symbol = { file_containing_symbol: 'offstage.jobs.v1.JobService' }
    const file = await reflect(bundle.client, version, symbol)
    const protos = file.file_descriptor_response?.file_descriptor_proto ?? []
    expect(protos.map((bytes) => bytes.toString('latin1')).join()).toContain('StartJobRequest')
  },
)

test('reflection answers a symbol nobody knows with an error, not a broken stream', async () => {
  await using bundle = await setup()
  const answer = await reflect(bundle.client, 'v1', { file_containing_symbol: 'no.such.Thing' })
  expect(answer.error_response).toBeDefined()
})
