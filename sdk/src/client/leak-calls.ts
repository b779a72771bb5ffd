/** Leaks of the namespace (row E4): what is tracked, and what was found. */
import { durationFrom, msFrom } from '@offstage/proto/durations'
import { textFault } from '@offstage/proto/field-rules'
import type {
  LeakFigures as WireFigures,
  Leak as WireLeak,
  LeakTracking as WireTracking,
} from '@offstage/proto/jobs'
import { leakKindFrom, leakKindNumber } from '@offstage/proto/leak-kinds'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal, rule } from '../arguments/rules.ts'
import type { LeakFigure, LeakFigures } from '../leaks/leak.ts'
import type { Calls } from './calls.ts'
import { type FollowLeaksOptions, followLeaks } from './follow-leaks.ts'
import type { LeakReports, ReportedFigures, TrackedRuns } from './leak-sync.ts'
import { millisWithin } from './limit-rules.ts'

export interface NamespaceLeaks {
  /** By name. */
  readonly tracked: readonly TrackedRuns[]
  /**
   * Of each name that is tracked, or was within a day, what all executors and services have told of it together; by name. Those without
   * `leaks` leave nothing.
   */
  readonly figures: readonly LeakFigures[]
}

export interface TrackOptions {
  /** For how long, 1 s to 24 h. Default 10 min. */
  readonly durationMs?: number
}

const TRACK_RULES: Rules<TrackOptions> = {
  durationMs: millisWithin(LIMITS.leakTrackingMsMin, LIMITS.leakTrackingMsMax),
}
const REPORT_RULES: Rules<{ readonly signal?: AbortSignal }> = { signal: abortSignal }

const names = rule(
  `a list of at most ${LIMITS.leakNamesMax} names, each of 1 to ${LIMITS.leakNameCharactersMax} characters`,
  (value) =>
    Array.isArray(value) &&
    value.length <= LIMITS.leakNamesMax &&
    value.every(
      (name) =>
        typeof name === 'string' &&
        name !== '' &&
        textFault(name, LIMITS.leakNameCharactersMax) === undefined,
    ),
)

/** Part of a client: `offstage.leaks`. */
export class LeakCalls implements LeakReports {
  readonly #calls: Calls

  constructor(calls: Calls) {
    this.#calls = calls
  }

  /**
   * Has executors, and services that follow, look for a while what runs of these names leave behind. They begin within 5 s or so, with the
   * runs that begin after that. What was known of names that were not tracked is forgotten. For operators.
   * @throws OffstageError PERMISSION_DENIED; QUOTA_EXCEEDED where that would be more than 100 names of the namespace at once.
   */
  async track(name: string | readonly string[], options: TrackOptions = {}): Promise<void> {
    const all = namesFrom(name)
    const { durationMs } = checkOptions('track', options, TRACK_RULES)
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace, names: all, duration: durationFrom(durationMs) }
    await this.#calls.callScheduler(namespaces.trackLeaks.bind(namespaces), request)
  }

  /** Ends that before its time: of these names, by default of all. What was found stays for a day. For operators. */
  async stop(name: string | readonly string[] = []): Promise<void> {
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace, names: namesFrom(name) }
    await this.#calls.callScheduler(namespaces.stopTrackingLeaks.bind(namespaces), request)
  }

  /** What is tracked, and what was found. For operators and readers. */
  async list(): Promise<NamespaceLeaks> {
    const { namespaces } = this.#calls.connection
    const call = namespaces.listLeaks.bind(namespaces)
    const answer = await this.#calls.callScheduler(call, { namespace: this.#namespace })
    return {
      tracked: answer.tracking.map(trackedFrom),
      figures: answer.figures.map(({ name, runCount, leaks }) => {
        return { name, runs: Number(runCount), leaks: leaks.flatMap(figureFrom) }
      }),
    }
  }

  /**
   * Tells what runs of this process have left behind, and asks what to track: for executors, and for services that do it by themselves.
   * @param reporter names the process; such as a UUID
   * @param figures of names of which something has changed, all that is known since they are tracked, and under which tracking
   */
  async report(
    reporter: string,
    figures: readonly ReportedFigures[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<TrackedRuns[]> {
    const { signal } = checkOptions('report', options, REPORT_RULES)
    const { namespaces } = this.#calls.connection
    const told = figures.slice(0, LIMITS.leakNamesMax).map(figuresTo)
    const request = { namespace: this.#namespace, reporter, figures: told }
    const call = namespaces.reportLeaks.bind(namespaces)
    const { tracking } = await this.#calls.callScheduler(call, request, { signal })
    return tracking.map(trackedFrom)
  }

  /**
   * Looks in this process for what operators ask for: sections that are run by `runInScope`, and jobs in the foreground. What is found is
   * told there and here, until it is disposed. For services, with the role `service` or `executor`; others are asked for nothing.
   */
  follow(options: FollowLeaksOptions = {}): AsyncDisposable {
    return followLeaks(this, options)
  }

  get #namespace(): string {
    return this.#calls.identity.namespace
  }
}

function namesFrom(name: string | readonly string[]): string[] {
  const all = typeof name === 'string' ? [name] : name
  names(all, 'names')
  return [...all]
}

function trackedFrom({ name, timeLeft, trackingId }: WireTracking): TrackedRuns {
  return { name, leftMs: msFrom(timeLeft) ?? 0, trackingId }
}

function figuresTo({ name, runs, leaks, trackingId = '' }: ReportedFigures): WireFigures {
  return {
    name,
    trackingId,
    runCount: BigInt(runs),
    leaks: leaks
      .slice(0, LIMITS.leakPlacesMax)
      .map(({ kind, openedAt, runs, left, open, bytesPerRun }) => ({
        kind: leakKindNumber(kind) as WireLeak['kind'],
        openedAt,
        runCount: BigInt(runs),
        leftCount: BigInt(left),
        openCount: BigInt(open),
        bytesPerRun: BigInt(bytesPerRun ?? 0),
      })),
  }
}

/** Kinds that this version does not know are left out. */
function figureFrom({ kind, openedAt, bytesPerRun, ...counts }: WireLeak): LeakFigure[] {
  const known = leakKindFrom(kind)
  if (known === undefined) return []
  const figure = {
    kind: known,
    openedAt,
    runs: Number(counts.runCount),
    left: Number(counts.leftCount),
    open: Number(counts.openCount),
  }
  return [known === 'heap' ? { ...figure, bytesPerRun: Number(bytesPerRun) } : figure]
}
