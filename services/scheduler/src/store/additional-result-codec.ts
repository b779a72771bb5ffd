/** What `jobs.additional_result` holds; bytes are in base64. */
import type { Payload } from '../domain/start-command.ts'
import { base64, createShape, required, text } from './stored-shape.ts'

const ADDITIONAL_RESULT = createShape<Payload>('additional results', 1, {
  inline: base64,
  address: text,
  type: required(text),
  sha256: base64,
})

export function additionalToJson(payload: Payload | undefined): string | null {
  return payload === undefined ? null : JSON.stringify(ADDITIONAL_RESULT.write(payload))
}

/** Undefined also for one that has neither bytes nor an address. */
export function additionalFromStored(stored: unknown): Payload | undefined {
  if (stored === null) return undefined
  const payload = ADDITIONAL_RESULT.read(stored)
  const { inline, address, type, sha256 } = payload
  if (address !== undefined) return { address, type, sha256 }
  return inline === undefined ? undefined : { inline, type }
}
