/**
 * A run: a job's attempt, or a request or section of a service that says so (row E1). What was opened in it and is still open at its
 * end is closed then, the last first, and told once, with where it was opened.
 *
 * 1. It is the call scope of reusable values, too: one context carries both.
 * 2. A run within a run has an end of its own, and closes what was opened in itself.
 * 3. What goes on after the end belongs to no run: nothing it opens would ever be closed, or told.
 * 4. Where nothing is open an end costs nothing, and there is nothing to wait for.
 * 5. An end takes hardly longer for many things that are stuck than for one.
 */
import { callback, text } from '../arguments/rules.ts'
import { CallScope, current, settling, type ValuesIdentity } from '../values/contexts.ts'
import {
  type LeftOpen,
  type LeftOpenReport,
  type TellLeftOpen,
  warnOfLeftOpen,
} from './left-open.ts'
import { placeOfCall } from './place.ts'
import { type FollowedRun, followed } from './run-watch.ts'

/**
 * How long what is open may take to close at the end of a run, one after the other. What is left by then is closed all at once and has as
 * long again, so that an end is over in three times this, however much is stuck; what was not closed is told, and waited for no longer.
 */
const CLOSE_MS_MAX = 5_000

/** What is to be closed by its opener, or by the end of the run. */
export interface Opening {
  /** For the log, such as `a transaction`. */
  readonly what: string
  /** Closes it at the end of the run. May reject, which is told. */
  close(): unknown
  /** Where it was opened; by default where this is called. */
  readonly openedAt?: string
  /** Whether it is told when the end of the run had to close it. Default true; false: that is how it is meant to be used. */
  readonly told?: boolean
}

/** Something that the end of the run would close. */
export interface Opened {
  /** It was closed in good order. */
  closed(): void
}

export class Run extends CallScope {
  override readonly isRun = true
  readonly name: string
  /** The outermost run around it, itself where there is none. */
  readonly root: Run
  /** What is followed of it; undefined where nobody does, as is usual. */
  readonly followed: FollowedRun | undefined
  #outer: Run | undefined
  #open: Set<Opening> | undefined
  #isOver = false

  constructor(name: string) {
    super()
    this.name = name
    this.#outer = currentRun()
    this.root = this.#outer?.root ?? this
    this.followed = followed(this)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether it is this run or one around it. */
  isWithin(run: Run): boolean {
    return this === run || this.#outer?.isWithin(run) === true
  }

  /** As `run`, and makes a promise of whatever can be awaited. */
  call<T>(callback: () => T, identity?: ValuesIdentity): T {
    return this.run(() => settling(callback()), identity)
  }

  /** Notes what is open from now on. */
  opened(opening: Opening): Opened {
    text(opening.what, 'what')
    callback(opening.close, 'close')
    const openedAt = opening.openedAt ?? placeOfCall()
    const { what, told, close } = opening
    const noted: Opening = { what, told, openedAt, close: () => close.call(opening) }
    this.#open ??= new Set()
    this.#open.add(noted)
    return { closed: () => void this.#open?.delete(noted) }
  }

  /** Ends it, once. Resolves when what was open is closed; undefined where there is nothing to wait for. Never rejects. */
  end(onLeftOpen: TellLeftOpen): Promise<void> | undefined {
    this.close()
    this.#isOver = true
    // Runs that begin one another do not hold a chain of those that are over.
    this.#outer = undefined
    const open = this.#open
    this.#open = undefined
    const closed =
      open === undefined || open.size === 0 ? undefined : this.#closeAll(open, onLeftOpen)
    return this.followed === undefined ? closed : this.followed.ended(closed)
  }

  async #closeAll(open: ReadonlySet<Opening>, onLeftOpen: TellLeftOpen): Promise<void> {
    const openings = [...open].reverse()
    const failures = await failuresOf(openings.map(({ close }) => close))
    const leftOpen: LeftOpen[] = []
    for (const [index, { what, openedAt = '', told }] of openings.entries()) {
      const failure = failures[index]
      if (failure !== undefined) leftOpen.push({ what, openedAt, error: failure.error })
      else if (told !== false) leftOpen.push({ what, openedAt })
    }
    if (leftOpen.length > 0) await tell({ run: this.name, leftOpen }, onLeftOpen)
  }
}

/** The run that the running code belongs to; undefined outside of any, and after its end. */
export function currentRun(): Run | undefined {
  const run = startingRun()
  return run?.isOver === false ? run : undefined
}

/** The run that has started the running code, though it may be over. */
export function startingRun(): Run | undefined {
  const { run } = current()
  return run instanceof Run ? run : undefined
}

/** A log that fails, or gives no answer, fails no run, and what it was to tell goes where it goes without one. */
async function tell(report: LeftOpenReport, onLeftOpen: TellLeftOpen): Promise<void> {
  const failure = await failureOf(() => onLeftOpen(report))
  if (failure !== undefined) warnOfLeftOpen(report)
}

interface Failure {
  readonly error: unknown
}

type Close = () => unknown

/** One after the other while there is time, the others together. */
async function failuresOf(closes: readonly Close[]): Promise<(Failure | undefined)[]> {
  const endMs = performance.now() + CLOSE_MS_MAX
  const failures: (Failure | undefined)[] = []
  while (failures.length < closes.length) {
    const leftMs = endMs - performance.now()
    const next = closes.slice(failures.length, leftMs > 0 ? failures.length + 1 : undefined)
    failures.push(...(await Promise.all(next.map((close) => failureOf(close)))))
  }
  return failures
}

async function failureOf(close: Close): Promise<Failure | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it was not closed within ${CLOSE_MS_MAX / 1_000} s`))
    }, CLOSE_MS_MAX)
  })
  try {
    await Promise.race([(async () => close())(), late])
    return undefined
  } catch (error) {
    return { error }
  } finally {
    clearTimeout(timer)
  }
}
