/**
 * Circles that calls of several callers close together. Each asks for what nobody of its own way waits for, and joins what is under way,
 * in its thread or by a key: no call alone tells that they wait for one another.
 *
 * How it works: a job that has waited for another for a second says so in its progress, and with it whatever that one has said to wait for. So
 * each learns of all that it waits for, and where it is itself among them nothing can end any more. What is answered sooner costs nothing.
 *
 * Invariants:
 *  1. Who waits for an answer are the jobs that asked for it and those that have joined, by whatever computations.
 *  2. A circle is refused when it is seen twice: what a job has said may have passed since.
 *  3. A job that waits no longer takes back what it has said, and one that has answered is in no circle.
 */
import { isObject, isText } from '../arguments/rules.ts'
import { ReusableCycleError } from '../values/computing.ts'

const LOOK_EVERY_MS = 1_000
/** More would not go into a progress: longer circles end by a deadline. */
const NODES_MAX = 24
const CALL_CHARACTERS_MAX = 80

/** A job that waits, and which of its list waits for it: the first, the job that says so, for itself. */
export interface WaitingJob {
  readonly id: string
  readonly call: string
  readonly by: number
}

/** As it is said in a progress. */
interface Said {
  readonly waitsFor: readonly WaitingJob[]
}

/** A job that answers for a function. */
export class AnsweringJob {
  readonly id: string
  readonly call: string
  /** Invariant 3. */
  get isOver(): boolean {
    return this.#isOver
  }
  #isOver = false
  readonly #say: (text: string, said: Said) => void
  readonly #awaited = new Map<WatchedCall, readonly WaitingJob[]>()
  #said = ''

  constructor(id: string, call: string, say: (text: string, said: Said) => void) {
    this.id = id
    this.call = call.slice(0, CALL_CHARACTERS_MAX)
    this.#say = say
  }

  [Symbol.dispose](): void {
    this.#isOver = true
  }

  /** Has asked for something that these jobs wait for. */
  waitFor(asked: WatchedCall, jobs: readonly WaitingJob[]): void {
    this.#awaited.set(asked, jobs)
    this.#tell(`waits for ${asked.call}`)
  }

  waitNoMore(asked: WatchedCall): void {
    if (this.#awaited.delete(asked)) this.#tell('')
  }

  #tell(text: string): void {
    if (this.isOver) return
    const waitsFor = [{ id: this.id, call: this.call, by: 0 }]
    for (const jobs of this.#awaited.values()) append(waitsFor, jobs)
    const said = waitsFor.map(({ id }) => id).join()
    if (said === this.#said) return
    this.#said = said
    this.#say(text, { waitsFor })
  }
}

/** Below the first of the list; what is there already stays where it is. */
function append(all: WaitingJob[], jobs: readonly WaitingJob[]): void {
  const places: number[] = []
  for (const [index, { id, call, by }] of jobs.entries()) {
    const known = all.findIndex((job) => job.id === id)
    if (known < 0 && all.length >= NODES_MAX) return
    places.push(known < 0 ? all.length : known)
    if (known < 0) all.push({ id, call, by: index === 0 ? 0 : (places[by] ?? 0) })
  }
}

/** A call that jobs wait for, while it is under way. */
export class WatchedCall {
  readonly call: string
  readonly #waiting: () => Iterable<object>
  readonly #waiters = new Set<AnsweringJob>()
  readonly #looks: ReturnType<typeof setInterval>
  readonly #circle = Promise.withResolvers<never>()
  #behind: readonly WaitingJob[] = []
  #seen = false

  /** @param waiting who waits for it just now */
  constructor(call: string, waiting: () => Iterable<object>) {
    this.call = call
    this.#waiting = waiting
    this.#looks = setInterval(() => this.#look(), LOOK_EVERY_MS)
  }

  /** The progress of the job that is to answer. */
  readonly heard = (extra: unknown): void => {
    this.#behind = waitingJobsFrom(extra) ?? this.#behind
  }

  /** @throws ReusableCycleError where the answer waits for who waits for it */
  async until<T>(answer: Promise<T>): Promise<T> {
    try {
      return await Promise.race([answer, this.#circle.promise])
    } finally {
      clearInterval(this.#looks)
      for (const waiter of this.#waiters) waiter.waitNoMore(this)
    }
  }

  /** Invariants 1 and 2. */
  #look(): void {
    const ids = new Map<string, AnsweringJob>()
    for (const waiter of this.#waiting()) {
      if (!(waiter instanceof AnsweringJob) || waiter.isOver) continue
      ids.set(waiter.id, waiter)
      this.#waiters.add(waiter)
      waiter.waitFor(this, this.#behind)
    }
    const at = this.#behind.findIndex(({ id }) => ids.has(id))
    if (at >= 0 && this.#seen) this.#circle.reject(circleOf(this.#behind, at))
    this.#seen = at >= 0
  }
}

function circleOf(jobs: readonly WaitingJob[], last: number): ReusableCycleError {
  const calls: string[] = []
  for (let at = last, more = true; more; at = jobs[at]?.by ?? 0) {
    calls.unshift(jobs[at]?.call ?? '')
    more = at > 0
  }
  return new ReusableCycleError([calls.at(-1) ?? '', ...calls])
}

/** Undefined for a progress that says something else, as the function may. */
function waitingJobsFrom(extra: unknown): readonly WaitingJob[] | undefined {
  const said = isObject(extra) ? (extra as Partial<Said>).waitsFor : undefined
  if (!Array.isArray(said) || said.length > NODES_MAX) return undefined
  return said.every(isWaitingJob) ? said : undefined
}

/** Each but the first is waited for by one before it, so that every way ends. */
function isWaitingJob(job: unknown, index: number): boolean {
  if (!isObject(job)) return false
  const { id, call, by } = job as Partial<WaitingJob>
  return (
    isText(id) &&
    isText(call) &&
    Number.isInteger(by) &&
    Number(by) >= 0 &&
    (Number(by) < index || index === 0)
  )
}
