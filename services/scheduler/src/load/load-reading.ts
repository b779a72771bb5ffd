/**
 * How busy the whole is, read from the database when somebody asks: whoever scales or watches asks any replica and hears the
 * same.
 *
 * 1. However many ask, the database is read at most every two seconds, and for a twentieth of the time at most: of a very long
 *    queue more seldom.
 * 2. Where it cannot be read, what is known goes on being told for a minute, and nothing after that: old numbers scale wrongly.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Load } from '../domain/load.ts'
import type { LoadStore } from '../ports/load.ts'
import { loadUnknown } from '../refusals.ts'

export interface LoadReading {
  /** What is known, if it is not too old to be told. */
  readonly known: Load | undefined
  /** Of what was read last, told or not; infinite before. */
  readonly ageMs: number
  /** No older than readings may be; rejects where nothing can be told. */
  latest(): Promise<Load>
  /** Read after this call: what was done before it is in it. Rejects where that fails. */
  next(): Promise<Load>
}

export interface LoadReadingOptions {
  readonly store: LoadStore
  /** Default 2 s. */
  readonly everyMs?: number
  /** Default one minute. */
  readonly toldForMs?: number
}

const SHARE_OF_TIME = 1 / 20

export function createLoadReading(options: LoadReadingOptions): LoadReading {
  const { store, everyMs = 2_000, toldForMs = 60_000 } = options
  let last: { readonly load: Load; readonly atMs: number } | undefined
  let begunMs = Number.NEGATIVE_INFINITY
  let tookMs = 0
  let underWay: Promise<Load> | undefined
  let coming: Promise<Load> | undefined

  const pauseMs = () => Math.max(everyMs, tookMs / SHARE_OF_TIME)
  const ageMs = () =>
    last === undefined ? Number.POSITIVE_INFINITY : performance.now() - last.atMs
  const known = () => (ageMs() <= toldForMs ? last?.load : undefined)

  async function read(): Promise<Load> {
    begunMs = performance.now()
    try {
      const load = await store.read()
      if (load === undefined) throw loadUnknown()
      last = { load, atMs: begunMs }
      return load
    } finally {
      tookMs = performance.now() - begunMs
      underWay = undefined
    }
  }

  async function inTurn(): Promise<Load> {
    await underWay?.catch(() => {})
    const waitMs = begunMs + pauseMs() - performance.now()
    if (waitMs > 0) await wait(waitMs, undefined, { ref: false })
    coming = undefined
    underWay = read()
    return underWay
  }

  const next = () => {
    coming ??= inTurn()
    return coming
  }
  return {
    get known() {
      return known()
    },
    get ageMs() {
      return ageMs()
    },
    next,
    async latest() {
      if (last !== undefined && ageMs() < pauseMs()) return last.load
      try {
        return await (underWay ?? next())
      } catch (error) {
        const told = known()
        if (told === undefined) throw error
        return told
      }
    },
  }
}
