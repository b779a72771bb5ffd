/**
 * The pool of a job (row J21), and with it the version of its method that it requires (row J1): `gpu@2.1`. What requires a version is in a queue
 * of its own, as what names a pool is, so that none that is claimed elsewhere comes past it. The versions are told apart here alone: to
 * all else this is the name of a pool.
 */

/** As callers and executors spell the pool of jobs that name none. Here it is the empty one. */
const DEFAULT = 'default'
/** No name of a pool has it. */
const BEFORE_VERSION = '@'

export function poolFrom(spelled: string): string {
  return spelled === DEFAULT ? '' : spelled
}

/** The pool, without a version. */
export function spelledPool(pool: string): string {
  return withoutVersion(pool) || DEFAULT
}

/** For those jobs of a pool that require the version. */
export function poolOfVersion(pool: string, version: string): string {
  return `${pool || DEFAULT}${BEFORE_VERSION}${version}`
}

/** Empty: any. */
export function requiredVersionOf(pool: string): string {
  const before = pool.indexOf(BEFORE_VERSION)
  return before < 0 ? '' : pool.slice(before + 1)
}

export function withoutVersion(pool: string): string {
  const before = pool.indexOf(BEFORE_VERSION)
  return before < 0 ? pool : poolFrom(pool.slice(0, before))
}

/** SQL for {@link spelledPool}, of a pool that is null or empty where it is the default one. */
export const spelledPoolInSql = (pool: string) =>
  `split_part(coalesce(nullif(${pool}, ''), '${DEFAULT}'), '${BEFORE_VERSION}', 1)`

/** SQL for {@link withoutVersion}, of a pool that is null or empty where it is the default one. */
export const withoutVersionInSql = (pool: string) =>
  `coalesce(nullif(${spelledPoolInSql(pool)}, '${DEFAULT}'), '')`

/**
 * SQL for a pool in the place of `pool`, of a job that requires the version, a text, from now on; empty: none; null: the one of before. Null where that
 * is the default one.
 */
export const poolOfVersionInSql = (pool: string, version: string) => `(
  CASE WHEN ${version} IS NULL THEN ${pool} WHEN ${version} = '' THEN nullif(${withoutVersionInSql(pool)}, '')
    ELSE ${spelledPoolInSql(pool)} || '${BEFORE_VERSION}' || ${version} END)`

/** SQL for the default one, as it is spelled. */
export const POOL_DEFAULT_IN_SQL = `'${DEFAULT}'`
