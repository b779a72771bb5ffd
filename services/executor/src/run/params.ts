import { OffstageError } from '@offstage/sdk/grpc'
import {
  BYTES_TYPE,
  CodecError,
  checkValue,
  decodeBy,
  isByteStreamSchema,
  type JobDefinition,
} from '@offstage/sdk/jobs'
import type { AttemptOrder, ValueAddress } from '../domain/attempt.ts'
import { invalidParams } from './invalid-params.ts'
import type { AttemptContext } from './job-context.ts'
import { parseJson } from './own-copies.ts'
import { retryingStorage } from './retrying-storage.ts'
import { streamParams } from './stream-params.ts'

/** The parameters as the caller gave them, fetched from temp storage where they are large (row J3). */
export function readParams(
  { codec, params: schema }: JobDefinition,
  order: AttemptOrder,
  context: AttemptContext,
): unknown {
  if (isByteStreamSchema(schema)) return streamParams(order, context)
  const { params, paramsType = BYTES_TYPE } = order
  if (params === undefined || params === '') return {}
  if (typeof params === 'string') return parse(params)
  // A Buffer, as those that are fetched are; it was none after its way between threads.
  if (params instanceof Uint8Array) {
    return decoded(
      codec,
      Buffer.from(params.buffer, params.byteOffset, params.byteLength),
      paramsType,
    )
  }
  return fetch(params, context)
}

function decoded(codec: JobDefinition['codec'], bytes: Buffer, contentType: string): unknown {
  try {
    const value = decodeBy([codec], bytes, contentType)
    return value instanceof Promise ? value.catch(refuseUnreadable) : value
  } catch (error) {
    return refuseUnreadable(error)
  }
}

/** What the start says they are, else what they were put as. */
async function fetch(
  { address, contentType }: ValueAddress,
  { signal, ownersClient }: AttemptContext,
): Promise<unknown> {
  const options = { signal, contentType: contentType || undefined }
  try {
    return await retryingStorage(signal, () => ownersClient.storage.get(address, options))
  } catch (error) {
    return refuseUnreadable(error)
  }
}

/** The parameters as the schema gives them: checked before any user code runs (row J2). */
export function checkParams(definition: JobDefinition, given: unknown): unknown {
  if (definition.params === undefined) return given
  const checked = checkValue(definition.params, given, 'params')
  return checked instanceof Promise ? checked.then(validOf) : validOf(checked)
}

function validOf(checked: Awaited<ReturnType<typeof checkValue>>): unknown {
  if (checked.kind === 'valid') return checked.value
  const problems = checked.violations.map(({ field, description }) => `${field}: ${description}`)
  throw invalidParams(`The parameters do not fit: ${problems.join('; ')}`)
}

function parse(json: string): unknown {
  try {
    return parseJson(json)
  } catch (cause) {
    return refuseUnreadable(cause)
  }
}

function refuseUnreadable(error: unknown): never {
  // Told as of parameters that came along.
  if (error instanceof OffstageError && error.cause instanceof CodecError) throw error.cause
  if (!(error instanceof SyntaxError)) throw error
  throw invalidParams('The parameters are not what their content type says.', error)
}
