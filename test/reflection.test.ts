import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { loadPackageDefinition } from '@grpc/grpc-js'
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader'
import descriptor from 'protobufjs/ext/descriptor/index.js'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { accessTo } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)

/** The reflection service's own proto comes with the package that tools use. */
const reflectionProto = join(
  dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json')),
  'build/proto/grpc/reflection/v1/reflection.proto',
)

type Answer = Record<string, never> & {
  listServicesResponse?: { service: { name: string }[] }
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] }
}

/** Asks one question of the reflection service, as grpcurl does. */
async function reflect(address: string, question: object): Promise<Answer> {
  const root = loadPackageDefinition(loadSync(reflectionProto)) as never as {
    grpc: { reflection: { v1: { ServerReflection: new (...a: unknown[]) => never } } }
  }
  const access = accessTo(address)
  const client = new root.grpc.reflection.v1.ServerReflection(
    address,
    access.credentials,
    access.options,
  ) as never as { ServerReflectionInfo(): NodeJS.ReadWriteStream; close(): void }
  const stream = client.ServerReflectionInfo()
  const answer = await new Promise<Answer>((resolve, reject) => {
    stream.once('data', resolve)
    stream.once('error', reject)
    stream.write(question as never)
  })
  stream.end()
  client.close()
  return answer
}

test('a tool that knows no proto lists the services and starts a job by reflection', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1 })
  const address = cluster.schedulers[0]?.address ?? ''
  const listed = await reflect(address, { listServices: '' })
  const services = listed.listServicesResponse?.service.map(({ name }) => name)
  expect(services).toEqual(
    expect.arrayContaining([
      'grpc.health.v1.Health',
      'offstage.executor.v1.ExecutorService',
      'offstage.jobs.v1.JobService',
      'offstage.jobs.v1.NamespaceService',
      'offstage.jobs.v1.ScheduleService',
    ]),
  )

  const found = await reflect(address, { fileContainingSymbol: 'offstage.jobs.v1.JobService' })
  const files = found.fileDescriptorResponse?.fileDescriptorProto ?? []
  const set = descriptor.FileDescriptorSet.create({
    file: files.map((file) => descriptor.FileDescriptorProto.decode(file)),
  })
  const bytes = Buffer.from(descriptor.FileDescriptorSet.encode(set).finish())
  const { offstage } = loadPackageDefinition(loadFileDescriptorSetFromBuffer(bytes)) as never as {
    offstage: { jobs: { v1: { JobService: new (...a: unknown[]) => never } } }
  }
  const access = accessTo(address)
  const client = new offstage.jobs.v1.JobService(
    address,
    access.credentials,
    access.options,
  ) as never as {
    StartJob(request: object, callback: (error: Error | null, answer: never) => void): void
    close(): void
  }
  const { job } = await new Promise<{ job: { completion: { result: { inline: Buffer } } } }>(
    (resolve, reject) => {
      const params = { inline: Buffer.from('{"n":21}') }
      const request = { job: { method: 'cluster.double', params }, inline_wait: { seconds: 10 } }
      client.StartJob(request, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      )
    },
  )
  client.close()
  expect(job.completion.result.inline.toString()).toBe('42')
}, 60_000)
