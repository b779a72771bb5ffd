import { fromJson } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'

const HEALTH = '.grpc.health.v1'
const RESPONSE = `${HEALTH}.HealthCheckResponse`

const field = (name: string, number: number, type: string, typeName?: string) => ({
  name,
  number,
  label: 'LABEL_OPTIONAL',
  type,
  ...(typeName && { typeName }),
})

/**
 * `grpc/health/v1/health.proto`, compiled. The source comes with grpc-health-check, but the loader
 * used there loses the names of map entries, and tools refuse what it makes of the file.
 */
export function healthFile(): FileDescriptorProto {
  const statuses = field(
    'statuses',
    1,
    'TYPE_MESSAGE',
    `${HEALTH}.HealthListResponse.StatusesEntry`,
  )
  const entry = {
    name: 'StatusesEntry',
    field: [field('key', 1, 'TYPE_STRING'), field('value', 2, 'TYPE_MESSAGE', RESPONSE)],
    options: { mapEntry: true },
  }
  const states = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
  const enumType = [
    { name: 'ServingStatus', value: states.map((name, number) => ({ name, number })) },
  ]
  const check = { inputType: `${HEALTH}.HealthCheckRequest`, outputType: RESPONSE }
  const listed = `${HEALTH}.HealthListResponse`
  return fromJson(FileDescriptorProtoSchema, {
    name: 'grpc/health/v1/health.proto',
    package: 'grpc.health.v1',
    syntax: 'proto3',
    messageType: [
      { name: 'HealthCheckRequest', field: [field('service', 1, 'TYPE_STRING')] },
      {
        name: 'HealthCheckResponse',
        field: [field('status', 1, 'TYPE_ENUM', `${RESPONSE}.ServingStatus`)],
        enumType,
      },
      { name: 'HealthListRequest' },
      {
        name: 'HealthListResponse',
        field: [{ ...statuses, label: 'LABEL_REPEATED' }],
        nestedType: [entry],
      },
    ],
    service: [
      {
        name: 'Health',
        method: [
          { name: 'Check', ...check },
          { name: 'List', inputType: `${HEALTH}.HealthListRequest`, outputType: listed },
          { name: 'Watch', ...check, serverStreaming: true },
        ],
      },
    ],
  })
}
