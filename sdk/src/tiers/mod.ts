/** Values that one process computes and others remember, too (row C8): `docs/guides/shared-values.md`. */
export { type ExposedReusable, type ExposeOptions, exposeReusable } from './expose-reusable.ts'
export {
  type CallOf,
  type RemoteOptions,
  remoteReusable,
  type TierOptions,
  tierOf,
} from './remote-reusable.ts'
export type { ReusableMethod, TierAnswer, TierAsk } from './tier-job.ts'
