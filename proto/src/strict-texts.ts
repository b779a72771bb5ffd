/**
 * Services whose requests have texts in UTF-8, as proto3 has it. Generated code puts U+FFFD in the place of what is none, and of two keys
 * makes one; nobody who generated theirs from the contract sends such texts.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire'
import type { ServiceDefinition } from '@grpc/grpc-js'

class StrictReader extends BinaryReader {
  override string(): string {
    try {
      return super.string(true)
    } catch (cause) {
      // Else there are fewer bytes than it says.
      if (!(cause instanceof TypeError)) throw cause
      throw new SyntaxError('a text in it is no UTF-8', { cause })
    }
  }
}

export function withStrictTexts(definition: ServiceDefinition): ServiceDefinition {
  const strict = Object.entries(definition).map(([name, method]) => {
    // Generated code takes a reader for bytes.
    const requestDeserialize = (bytes: Buffer) =>
      method.requestDeserialize(new StrictReader(bytes) as never)
    return [name, { ...method, requestDeserialize }]
  })
  return Object.fromEntries(strict)
}
