/** Exclusive mode as statements of others ask about it (row L10). */

/**
 * SQL: whether a start is kept out of a namespace. It is not where it belongs to the lease that has it, or is automatic; and while jobs
 * of others are waited for, not where its parent is one of them.
 */
export const refusedInExclusive = (
  namespace: string,
  lease: string,
  parentRuns: string,
  automatic: string,
) => `EXISTS (
          SELECT FROM offstage.exclusive_holder(${namespace}) held
          WHERE ${lease} IS DISTINCT FROM held.lease AND (${automatic}) IS NOT TRUE AND (held.is_waiting AND ${parentRuns}) IS NOT TRUE)`
