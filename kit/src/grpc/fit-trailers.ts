/**
 * What a refusal says has to fit into the trailers of its call: a client that gets more than it takes drops the whole connection,
 * with the other calls on it. gRPC's C core takes 8 KiB of metadata, in which texts are percent-encoded and details in base64.
 */
import type { FieldViolation } from '@offstage/proto/error-details'
import type { Refusal } from './refusal.ts'

/** The message is told twice: in the status, and in its details. */
const MESSAGE_BYTES_MAX = 1_024
const TEXT_BYTES_MAX = 512
/** For facts and violations together. */
const FACTS_BYTES_MAX = 1_536
/** What one more of them takes beside its texts. */
const FACT_BYTES = 16

type Told = Pick<Refusal, 'message' | 'metadata' | 'violations'>

/** The same with texts cut, and with as many of the violations as there is room for. */
export function fitTrailers({ message, metadata, violations }: Told): Told {
  let left = FACTS_BYTES_MAX
  const takes = (...texts: string[]) => {
    left -= texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), FACT_BYTES)
    return left >= 0
  }
  const facts = Object.entries(metadata)
    .map(([key, text]) => [key, cut(text, TEXT_BYTES_MAX)] as const)
    .filter((fact) => takes(...fact))
  const told: FieldViolation[] = []
  for (const violation of violations) {
    const field = cut(violation.field, TEXT_BYTES_MAX)
    const description = cut(violation.description, TEXT_BYTES_MAX)
    if (!takes(field, description)) break
    told.push({ field, description })
  }
  return {
    message: cut(message, MESSAGE_BYTES_MAX),
    metadata: Object.fromEntries(facts),
    violations: told,
  }
}

function cut(text: string, bytesMax: number): string {
  if (text.length <= bytesMax && Buffer.byteLength(text) <= bytesMax) return text
  const kept = Buffer.from(text.slice(0, bytesMax)).subarray(0, bytesMax)
  // A character of which a part is left becomes U+FFFD: one at the end goes.
  return `${kept.toString().replace(/\uFFFD+$/, '')}…`
}
