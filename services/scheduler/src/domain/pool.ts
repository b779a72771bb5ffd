/** As callers and executors spell the pool of jobs that name none (row J21). Here it is the empty one. */
const DEFAULT = 'default'

export function poolFrom(spelled: string): string {
  return spelled === DEFAULT ? '' : spelled
}

export function spelledPool(pool: string): string {
  return pool || DEFAULT
}

/** SQL for the same, of a pool that is null or empty where it is the default one. */
export const spelledPoolInSql = (pool: string) => `coalesce(nullif(${pool}, ''), '${DEFAULT}')`

/** SQL for the default one, as it is spelled. */
export const POOL_DEFAULT_IN_SQL = `'${DEFAULT}'`
