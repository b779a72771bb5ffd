import type { Queryable, Statement } from '@offstage/kit/database'

/** Statements that make a thing once for each request id; all take the namespace, the owner and the id first. */
export interface Once {
  /** What was made for it, if that lives. */
  readonly find: Statement
  /** Takes the id off what does not live any more. */
  readonly free: Statement
  /** Makes it, unless that was done meanwhile: ON CONFLICT DO NOTHING, which waits for whoever is doing it. */
  readonly make: Statement
}

/** More than the things that can end while one call looks. */
const TRIES_MAX = 10

/** The row that was made for the request id, now or before; `id` undefined: a new one. Within a transaction that sees what others commit. */
export async function once<Row>(
  tx: Queryable,
  { find, free, make }: Once,
  [namespace, owner, id]: readonly [string, string, string | undefined],
  given: readonly unknown[],
): Promise<Row> {
  const request = [namespace, owner, id]
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    if (id !== undefined) {
      const [found] = (await tx.query<Row>(find, request)).rows
      if (found !== undefined) return found
      await tx.query(free, request)
    }
    const [made] = (await tx.query<Row>(make, [...request, ...given])).rows
    if (made !== undefined) return made
  }
  throw new Error('what a request id stands for neither lives nor ends')
}
