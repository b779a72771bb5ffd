/**
 * What a caller may be. `admin` everything; `operator` run the place; `reader` look; `user` have jobs and values of their own;
 * `executor` attach and run jobs; `service` have jobs and values, and act for others on temp values; `scaler` ask how busy executors are.
 */
export const ROLES = [
  'admin',
  'operator',
  'reader',
  'user',
  'executor',
  'service',
  'scaler',
] as const
export type RoleName = (typeof ROLES)[number]
