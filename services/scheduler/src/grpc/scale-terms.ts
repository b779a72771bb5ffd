import type { Actor } from '@offstage/kit/auth'
import type { Violation } from '@offstage/proto/field-rules'
import { spelledPool } from '../domain/pool.ts'
import type { Served } from '../load/demand.ts'
import { invalidFields } from '../refusals.ts'
import { namespaceFor } from './mapping.ts'

/** What a trigger of KEDA asks for. */
export interface ScaleTerms extends Served {
  /** Jobs for each executor. */
  readonly target: number | undefined
  /** Another executor for each so many seconds that the oldest job has waited. */
  readonly oldestSeconds: number | undefined
}

const OURS = ['namespace', 'methods', 'pools', 'target', 'oldestSeconds']
/** KEDA hands on all that a trigger says, its own keys included. */
const OF_KEDA =
  /^(scalerAddress|enableTLS|unsafeSsl|caCert|tlsCertFile|tlsClientCert|tlsClientKey|.*FromEnv)$/
const NAMES_MAX = 100
/** More than any target is, and within the integers of its messages. */
const SIZE_MAX = 1e12

/** The metadata of a trigger. A key that is none of ours is refused: misspelt, it would scale by something else. */
export function scaleTermsFrom(
  metadata: Readonly<Record<string, string>>,
  actor: Actor,
): ScaleTerms {
  const violations: Violation[] = []
  const note = (key: string, description: string) =>
    void violations.push({ field: `scalerMetadata.${key}`, description })
  for (const key of Object.keys(metadata)) {
    if (OURS.includes(key) || OF_KEDA.test(key)) continue
    note(key, `is not known; there are ${OURS.join(', ')}`)
  }
  const size = (key: 'target' | 'oldestSeconds') => {
    const text = metadata[key]
    if (text === undefined) return undefined
    const value = Number(text)
    if (text.trim() !== '' && value > 0 && value <= SIZE_MAX) return value
    note(key, 'must be a number above 0, and 1e12 at most')
    return undefined
  }
  const target = size('target')
  const oldestSeconds = size('oldestSeconds')
  if (metadata.target === undefined && metadata.oldestSeconds === undefined)
    note('target', 'must be there: how many jobs each executor is for; or oldestSeconds')
  const names = (key: 'methods' | 'pools', unset: string) => {
    const listed = (metadata[key] ?? unset).split(',').map((name) => name.trim())
    if (listed.includes('') || listed.length > NAMES_MAX)
      note(key, `must be 1 to ${NAMES_MAX} names or patterns with commas between`)
    return listed
  }
  const methods = names('methods', '*')
  // As executors that are told of no pools.
  const pools = names('pools', spelledPool(''))
  if (violations.length > 0) throw invalidFields(violations)
  const namespace = namespaceFor(actor, metadata.namespace ?? '')
  return { namespace, methods, pools, target, oldestSeconds }
}
