/** As callers and executors spell the pool of jobs that name none (row J21). Here it is the empty one. */
const DEFAULT = 'default'

export function poolFrom(spelled: string): string {
  return spelled === DEFAULT ? '' : spelled
}

export function spelledPool(pool: string): string {
  return pool || DEFAULT
}
