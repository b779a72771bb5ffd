/** Which queued jobs of a method with limits begin next (row J20). */
import type { Bound, Limits } from './model.ts'

interface OfKey {
  readonly limitKey: string
}

/** As PostgreSQL orders them: by their bytes. */
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

export interface Terms {
  readonly limits: Limits
  readonly slots: number
  /** Of all together, or of a value of the key. */
  readonly tokens: (key?: string) => number
  /** The value that had the last turn. */
  readonly lastKey: string
}

export interface Taken<Job> {
  readonly jobs: readonly Job[]
  readonly lastKey: string | undefined
  /** Of the key, of which one might begin; undefined where none may of whichever. */
  readonly ready: ReadonlySet<string> | undefined
}

const roomIn = (bound: Bound | undefined, running: number, tokens: number) =>
  Math.max(0, Math.min((bound?.max ?? Number.POSITIVE_INFINITY) - running, Math.floor(tokens)))

/** Of `queued`, best first: without a key as many as there is room for; else the values of the key take turns. */
export function takeInTurn<Job extends OfKey>(
  queued: readonly Job[],
  running: readonly OfKey[],
  { limits: { whole, perKey }, slots, tokens, lastKey }: Terms,
): Taken<Job> {
  const room = Math.min(slots, roomIn(whole, running.length, tokens()))
  if (perKey === undefined) {
    return { jobs: queued.slice(0, room), lastKey: undefined, ready: undefined }
  }
  const inTurn = [...new Set(queued.map(({ limitKey }) => limitKey))].toSorted(byBytes)
  const after = inTurn.filter((key) => byBytes(key, lastKey) > 0)
  const ready = [...after, ...inTurn.filter((key) => !after.includes(key))]
    .map((key) => {
      const held = running.filter((job) => job.limitKey === key).length
      return { key, room: roomIn(perKey, held, tokens(key)) }
    })
    .filter((turn) => turn.room > 0)
  const turns = ready.slice(0, room)
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
  return {
    jobs,
    lastKey: turns.at(-1)?.key,
    ready: room > 0 ? new Set(ready.map(({ key }) => key)) : undefined,
  }
}

/** Of starts that are recorded together, by their places, those that begin at once. */
export function beginTogether(
  keys: readonly string[],
  queued: readonly OfKey[],
  running: readonly OfKey[],
  { whole, perKey }: Limits,
): Set<number> {
  const begun = new Set<number>()
  if (queued.length > 0) return begun
  const held = running.map(({ limitKey }) => limitKey)
  for (const [place, key] of keys.entries()) {
    const ofKey = held.filter((other) => other === key).length
    if (roomIn(whole, held.length, 1) < 1 || roomIn(perKey, ofKey, 1) < 1) continue
    begun.add(place)
    held.push(key)
  }
  return begun
}
