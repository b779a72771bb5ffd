/** Which queued jobs of a method with limits begin next (row J20). */
import type { Limits } from './model.ts'

interface OfKey {
  readonly limitKey: string
}

/** As PostgreSQL orders them: by their bytes. */
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

export interface Turns {
  readonly limits: Limits
  readonly slots: number
  /** The value that had the last turn. */
  readonly lastKey: string
}

export interface Taken<Job> {
  readonly jobs: readonly Job[]
  readonly lastKey: string | undefined
}

/** Of `queued`, best first: without a key as many as there is room for; else the values of the key take turns. */
export function takeInTurn<Job extends OfKey>(
  queued: readonly Job[],
  running: readonly OfKey[],
  { limits: { whole, perKey }, slots, lastKey }: Turns,
): Taken<Job> {
  const room = Math.max(0, Math.min(slots, (whole ?? slots + running.length) - running.length))
  if (perKey === undefined) return { jobs: queued.slice(0, room), lastKey: undefined }
  const inTurn = [...new Set(queued.map(({ limitKey }) => limitKey))].toSorted(byBytes)
  const after = inTurn.filter((key) => byBytes(key, lastKey) > 0)
  const turns = [...after, ...inTurn.filter((key) => !after.includes(key))]
    .map((key) => ({ key, room: perKey - running.filter((job) => job.limitKey === key).length }))
    .filter((turn) => turn.room > 0)
    .slice(0, room)
  const share = Math.ceil(room / Math.max(turns.length, 1))
  const lines = turns.map((turn) =>
    queued.filter(({ limitKey }) => limitKey === turn.key).slice(0, Math.min(share, turn.room)),
  )
  const jobs: Job[] = []
  for (let round = 0; jobs.length < room && round < share; round++) {
    for (const line of lines) {
      const job = line[round]
      if (job !== undefined && jobs.length < room) jobs.push(job)
    }
  }
  return { jobs, lastKey: turns.at(-1)?.key }
}

/** Of starts that are recorded together, by their places, those that begin at once. */
export function beginTogether(
  keys: readonly string[],
  queued: readonly OfKey[],
  running: readonly OfKey[],
  { whole = Number.POSITIVE_INFINITY, perKey = Number.POSITIVE_INFINITY }: Limits,
): Set<number> {
  const begun = new Set<number>()
  if (queued.length > 0) return begun
  const held = running.map(({ limitKey }) => limitKey)
  for (const [place, key] of keys.entries()) {
    if (held.length >= whole || held.filter((other) => other === key).length >= perKey) continue
    begun.add(place)
    held.push(key)
  }
  return begun
}
