/** Whether `await` would wait for it: a promise or anything that behaves as one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value instanceof Promise ||
    typeof (value as Partial<Promise<unknown>> | null)?.then === 'function'
  )
}
