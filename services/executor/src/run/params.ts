import { checkValue, type JobDefinition } from '@offstage/sdk/jobs'
import type { AttemptOrder } from '../domain/attempt.ts'
import { AttemptFault } from '../domain/fault.ts'
import type { AttemptContext } from './job-context.ts'
import { retryingStorage } from './retrying-storage.ts'

/** The parameters as the caller gave them, fetched from temp storage where they are large (row J3). */
export function readParams(order: AttemptOrder, context: AttemptContext): unknown {
  const { params } = order
  if (params === undefined || params === '') return {}
  if (typeof params === 'string') return parse(params)
  // A Buffer, as those that are fetched are; it was none after its way between threads.
  if (params instanceof Uint8Array) {
    return Buffer.from(params.buffer, params.byteOffset, params.byteLength)
  }
  return fetch(params.address, context)
}

async function fetch(address: string, { signal, ownersClient }: AttemptContext): Promise<unknown> {
  try {
    return await retryingStorage(signal, () => ownersClient.storage.get(address, { signal }))
  } catch (error) {
    throw error instanceof SyntaxError ? notJson(error) : error
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
  throw invalid(`The parameters do not fit: ${problems.join('; ')}`)
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw notJson(cause)
  }
}

function notJson(cause: unknown): AttemptFault {
  return invalid('The parameters are not valid JSON.', cause)
}

function invalid(message: string, cause?: unknown): AttemptFault {
  return new AttemptFault('PARAMS_INVALID', message, { retryable: false, cause })
}
