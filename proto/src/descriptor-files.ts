/** The compiled protos as files, found by name or by a symbol in them: what server reflection serves. */

import { readFileSync } from 'node:fs'
import {
  createFileRegistry,
  type DescFile,
  type FileRegistry,
  fromBinary,
  toBinary,
} from '@bufbuild/protobuf'
import { nestedTypes } from '@bufbuild/protobuf/reflect'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { healthFile } from './health-file.ts'

export type { DescField, DescMessage, DescMethod } from '@bufbuild/protobuf'

export interface DescriptorFiles {
  /** The serialized file of this name and, after it, everything it imports; undefined: no such file. */
  byName(name: string): Uint8Array[] | undefined
  /** As byName, for the file that declares the message, enum, service or method of this full name. */
  bySymbol(symbol: string): Uint8Array[] | undefined
}

/** Reads every proto of Offstage, and gRPC's health service, from the generated descriptors. */
export function loadDescriptorFiles(): DescriptorFiles {
  const registry = loadRegistry()
  const symbols = symbolsOf(registry)
  const byName = (name: string) => {
    const file = registry.getFile(name)
    return file === undefined ? undefined : withImports(file).map(serialize)
  }
  return {
    byName,
    bySymbol: (symbol) => {
      const file = symbols.get(symbol)
      return file === undefined ? undefined : withImports(file).map(serialize)
    },
  }
}

/** All of them with what they declare, as one can walk it. */
export function loadRegistry(): FileRegistry {
  const bytes = readFileSync(new URL('../gen/descriptors.binpb', import.meta.url))
  const set = fromBinary(FileDescriptorSetSchema, bytes)
  set.file.push(healthFile())
  return createFileRegistry(set)
}

function symbolsOf(registry: FileRegistry): Map<string, DescFile> {
  const symbols = new Map<string, DescFile>()
  for (const file of registry.files) {
    for (const type of nestedTypes(file)) {
      symbols.set(type.typeName, file)
      if (type.kind !== 'service') continue
      for (const method of type.methods) symbols.set(`${type.typeName}.${method.name}`, file)
    }
  }
  return symbols
}

function withImports(file: DescFile, found = new Set<DescFile>()): DescFile[] {
  if (!found.has(file)) {
    found.add(file)
    for (const dependency of file.dependencies) withImports(dependency, found)
  }
  return [...found]
}

function serialize(file: DescFile): Uint8Array {
  return toBinary(FileDescriptorProtoSchema, file.proto)
}
