import { paramsToText } from './params-text.ts'
import type { Identity } from './partition.ts'
import type { RemoteCall, RemoteTier } from './remote-tier.ts'

/** What is known of a value besides itself, filled in by the tier it came from. */
export interface Origin {
  /** Age at arrival, milliseconds. */
  ageMs: number
  /** Undefined: not given, the function's own option decides. */
  tags: readonly string[] | undefined
}

export interface TierCall {
  readonly name: string
  readonly params: readonly unknown[]
  readonly identity: Identity
  readonly signal: AbortSignal | undefined
  readonly origin: Origin
  readonly compute: () => unknown
  readonly tagsOf: (value: unknown) => readonly string[]
  readonly onFailure: () => void
}

/**
 * Asks the other side, computes here when it has nothing, and then offers it the value (row C8).
 */
export async function askTier(tier: RemoteTier, call: TierCall): Promise<unknown> {
  const { user, privileged } = call.identity
  const params = paramsToText(call.params) ?? '[]'
  const remoteCall: RemoteCall = { name: call.name, params, user, privileged, signal: call.signal }
  const remote = await tier.fetch(remoteCall).catch((error: unknown) => {
    if (call.signal?.aborted) throw error
    call.onFailure()
    return undefined
  })
  if (remote !== undefined) {
    call.origin.ageMs = remote.ageMs
    call.origin.tags = remote.tags
    return remote.value
  }
  const value = await call.compute()
  if (value !== undefined) {
    const offered = { value, ageMs: 0, tags: call.tagsOf(value) }
    // the caller does not wait for the other side
    tier.offer(remoteCall, offered).catch(call.onFailure)
  }
  return value
}
