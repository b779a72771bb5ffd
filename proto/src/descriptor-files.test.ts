import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { loadDescriptorFiles } from './descriptor-files.ts'

const files = loadDescriptorFiles()

function decode(bytes: Uint8Array[] | undefined) {
  return (bytes ?? []).map((file) => fromBinary(FileDescriptorProtoSchema, file))
}

test.each([
  ['a service', 'offstage.jobs.v1.JobService'],
  ['a method', 'offstage.jobs.v1.JobService.StartJob'],
  ['a message', 'offstage.jobs.v1.StartJobRequest'],
])('%s is found in the file that declares it, followed by all it imports', (_kind, symbol) => {
  const found = decode(files.bySymbol(symbol))
  expect(found[0]?.name).toBe('offstage/jobs/v1/job_service.proto')
  const names = new Set(found.map(({ name }) => name))
  expect(names.size).toBe(found.length)
  for (const { dependency } of found) for (const name of dependency) expect(names).toContain(name)
})

test('the health service has the messages, states and calls the specification gives it', () => {
  const [file] = decode(files.bySymbol('grpc.health.v1.Health'))
  const set = create(FileDescriptorSetSchema, { file: file === undefined ? [] : [file] })
  const registry = createFileRegistry(set)
  const service = registry.getService('grpc.health.v1.Health')
  expect(service?.methods.map(({ name, methodKind }) => [name, methodKind])).toEqual([
    ['Check', 'unary'],
    ['List', 'unary'],
    ['Watch', 'server_streaming'],
  ])
  const response = registry.getMessage('grpc.health.v1.HealthListResponse')
  expect(response?.field.statuses?.fieldKind).toBe('map')
  const states = registry.getEnum('grpc.health.v1.HealthCheckResponse.ServingStatus')
  expect(states?.values.map(({ name }) => name)).toContain('SERVING')
})

test('a file is found by its name, and what nobody declares is not found', () => {
  expect(decode(files.byName('google/rpc/status.proto')).map(({ name }) => name)).toEqual([
    'google/rpc/status.proto',
    'google/protobuf/any.proto',
  ])
  expect(files.byName('no/such.proto')).toBeUndefined()
  expect(files.bySymbol('offstage.jobs.v1.Nothing')).toBeUndefined()
})
