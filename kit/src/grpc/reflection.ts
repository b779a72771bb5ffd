/**
 * Server reflection, v1 and v1alpha, over the compiled descriptors as they are. The messages are the
 * ones of @grpc/reflection; its service is not used, because it rebuilds the descriptors with
 * protobufjs, which loses imports and the names of map entries, and grpcurl refuses the outcome.
 */

import { createRequire } from 'node:module'
import {
  type MethodDefinition,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { type DescriptorFiles, loadDescriptorFiles } from '@offstage/proto/descriptor-files'

/** One of the fields is set: the one the caller asks with. */
interface Question {
  readonly host?: string
  readonly list_services?: string
  readonly file_by_filename?: string
  readonly file_containing_symbol?: string
  readonly file_containing_extension?: object
  readonly all_extension_numbers_of_type?: string
}

/** Adds both versions, listing the services named, with `addService` of a server. */
export function addReflection(
  names: readonly string[],
  addService: (definition: ServiceDefinition, implementation: object) => void,
): void {
  for (const version of ['v1', 'v1alpha']) {
    const ServerReflectionInfo = (call: ServerDuplexStream<Question, object>) => {
      call.on('data', (question: Question) => {
        const answer = answerOf(question, names)
        call.write({ valid_host: question.host, original_request: question, ...answer })
      })
      call.on('end', () => call.end())
    }
    addService(definitionOf(version), { ServerReflectionInfo })
  }
}

/** The protos are parsed for the first question: most servers are never asked, and each would serve tens of milliseconds later. */
function definitionOf(version: string): ServiceDefinition {
  const service = `grpc.reflection.${version}.ServerReflection`
  let loaded: MethodDefinition<object, object> | undefined
  const method = () => {
    loaded ??= loadService(version, service).ServerReflectionInfo as typeof loaded & object
    return loaded
  }
  return {
    ServerReflectionInfo: {
      path: `/${service}/ServerReflectionInfo`,
      requestStream: true,
      responseStream: true,
      requestSerialize: (question: object) => method().requestSerialize(question),
      requestDeserialize: (bytes) => method().requestDeserialize(bytes),
      responseSerialize: (answer: object) => method().responseSerialize(answer),
      responseDeserialize: (bytes) => method().responseDeserialize(bytes),
    },
  }
}

function loadService(version: string, service: string): ServiceDefinition {
  const file = `@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`
  const protos = loadSync(createRequire(import.meta.url).resolve(file), { keepCase: true })
  return protos[service] as ServiceDefinition
}

let files: DescriptorFiles | undefined

function answerOf(question: Question, names: readonly string[]): object {
  files ??= loadDescriptorFiles()
  if (question.list_services !== undefined) {
    return { list_services_response: { service: names.map((name) => ({ name })) } }
  }
  if (question.file_by_filename !== undefined) {
    return fileAnswer(question.file_by_filename, files.byName(question.file_by_filename))
  }
  if (question.file_containing_symbol !== undefined) {
    return fileAnswer(
      question.file_containing_symbol,
      files.bySymbol(question.file_containing_symbol),
    )
  }
  const type = question.all_extension_numbers_of_type
  if (type !== undefined && files.bySymbol(type) !== undefined) {
    // Offstage's protos are proto3: nothing in them is extended.
    return { all_extension_numbers_response: { base_type_name: type, extension_number: [] } }
  }
  return notFound(type ?? 'the extension')
}

function fileAnswer(what: string, found: Uint8Array[] | undefined): object {
  if (found === undefined) return notFound(what)
  return { file_descriptor_response: { file_descriptor_proto: found } }
}

function notFound(what: string): object {
  return { error_response: { error_code: status.NOT_FOUND, error_message: `${what} not found` } }
}
