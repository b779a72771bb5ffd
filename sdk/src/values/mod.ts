/** Reusable values (rows C1 to C8): `docs/guides/reusable-values.md`. */
export {
  createManualValuesClock,
  type ManualValuesClock,
  systemValuesClock,
  type ValuesClock,
} from './clock.ts'
export { ReusableCycleError } from './computing.ts'
export {
  type CallScope,
  createCallScope,
  createValuesSession,
  runInCallScope,
  runWithValuesIdentity,
  type ValuesIdentity,
  type ValuesSession,
  type ValuesSessionOptions,
} from './contexts.ts'
export { observeReusableValues } from './metrics.ts'
export {
  IDLE_MS_DEFAULT,
  type Lifetime,
  MAX_AGE_MS_DEFAULT,
  type ReusableOptions,
} from './options.ts'
export { paramsFromText, paramsToText } from './params-text.ts'
export { defineReference, type Referable, type ReferenceIdentity, reference } from './references.ts'
export {
  createInProcessRefresh,
  type RefreshMessage,
  type RefreshPort,
  type RefreshScope,
} from './refresh.ts'
export type { RemoteCall, RemoteTier, RemoteValue } from './remote-tier.ts'
export { type RefreshTarget, type Reusable, refreshReusableValues, reusable } from './reusable.ts'
export type { FreezeMode, UnfreezableRule } from './share.ts'
export { connectAllStores } from './shared-ports.ts'
export type { DeepReadonly } from './shared-type.ts'
export type { DropCause, ValuesStatistics, Verdict } from './statistics.ts'
export {
  createValuesStore,
  defaultValuesStore,
  type ValuesStore,
  type ValuesStoreOptions,
} from './store.ts'
