import type { LeakKind } from '@offstage/proto/leak-kinds'

/** What a run has left behind in one place of the code. */
export interface Leak {
  /**
   * `timer`: neither run out nor cleared. `socket`: of TCP, UDP or a pipe, a server among them, not closed. `request`: over HTTP, its
   * answer not read to its end. `file`: a file handle, file
   * descriptor or file watcher, not closed. `listener`: of an event emitter or event target that is older than the run, an AbortSignal
   * for instance, not removed. `worker` and `process`: not ended. `heap`: memory that the runs have taken and that cannot be collected.
   */
  readonly kind: LeakKind
  /** How many of them; of `heap` 1. */
  readonly count: number
  /** The frames of the code that made it, innermost first; empty for `heap`. */
  readonly openedAt: string
  /** Of `heap` alone: by how many bytes it grows with each run, the median of the newest measurements. */
  readonly bytesPerRun?: number
}

/** What a run has left behind. */
export interface LeakReport {
  /** Name of the run: the method of a job, or what `runInScope` was given. */
  readonly run: string
  readonly leaks: readonly Leak[]
}

/** What runs have left behind in one place of the code since they are tracked. */
export interface LeakFigure {
  readonly kind: LeakKind
  /** As in {@link Leak}. */
  readonly openedAt: string
  /** How many runs left something there; of `heap` 0. */
  readonly runs: number
  /** How many they left in all; of `heap` 0. */
  readonly left: number
  /** How many of those are open now, at most 100 are counted; of `heap` 0. */
  readonly open: number
  /** As in {@link Leak}. */
  readonly bytesPerRun?: number
}

/** What is known of the runs of one name since they are tracked. */
export interface LeakFigures {
  readonly name: string
  /** How many have ended. */
  readonly runs: number
  /** Places that have leaked, those with the most first, at most 20; empty where nothing has. */
  readonly leaks: readonly LeakFigure[]
}

/** One line for people, such as `left 2 timers and a socket behind`; empty where there is nothing. */
export function textOfLeaks({ leaks }: Pick<LeakReport, 'leaks'>): string {
  const counts = new Map<LeakKind, number>()
  for (const { kind, count } of leaks) counts.set(kind, (counts.get(kind) ?? 0) + count)
  const left = [...counts].flatMap(([kind, count]) => (kind === 'heap' ? [] : nounOf(kind, count)))
  const [heap] = leaks.filter(({ kind }) => kind === 'heap')
  const grows = heap && `grew the heap by ${bytesText(heap.bytesPerRun ?? 0)} a run`
  const all =
    left.length > 0 ? [`left ${left.join(', ').replace(/, ([^,]*)$/, ' and $1')} behind`] : []
  return [...all, ...(grows ? [grows] : [])].join('; ')
}

const NOUNS: Readonly<Record<Exclude<LeakKind, 'heap'>, readonly [one: string, many: string]>> = {
  timer: ['a timer', 'timers'],
  socket: ['a socket', 'sockets'],
  request: ['a request', 'requests'],
  file: ['a file', 'files'],
  listener: ['a listener', 'listeners'],
  worker: ['a worker', 'workers'],
  process: ['a process', 'processes'],
}

function nounOf(kind: Exclude<LeakKind, 'heap'>, count: number): string {
  const [one, many] = NOUNS[kind]
  return count === 1 ? one : `${count} ${many}`
}

export function bytesText(bytes: number): string {
  return bytes < 2 ** 20
    ? `${Math.ceil(bytes / 2 ** 10)} KiB`
    : `${(bytes / 2 ** 20).toFixed(1)} MiB`
}
