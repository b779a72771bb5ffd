import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { callback, flag, isText, rule } from '../arguments/rules.ts'
import type { Run } from '../runs/mod.ts'
import { firstFrame } from '../runs/place.ts'
import { type LeakFigures, type LeakReport, textOfLeaks } from './leak.ts'
import type { Replaces } from './listeners.ts'
import { type Tracks, tracker } from './tracker.ts'

export interface TrackLeaksOptions {
  /** Names of runs: of methods of jobs, and what sections are given by `runInScope`. Others cost a look at their name. */
  readonly names: Iterable<string>
  /**
   * Told at the end of each run that has leaked, before what the run returned is. Default: a warning of the process, with the code `LEAKS`.
   * One that fails fails no run.
   */
  readonly onLeaks?: (report: LeakReport, run: Run) => unknown
  /** Told when the figures of a name have changed: at the end of each run, so do little. */
  readonly onFigures?: (name: string) => void
  /**
   * Whether what the first run leaves in a place is a leak. Default false: it may be kept for the next run, in a pool or a cache, so
   * it takes another run that leaves something there while it is still open.
   */
  readonly fromFirstRun?: boolean
  /** Paths of files whose code is not the caller's: what that makes is passed over. */
  readonly ownPaths?: readonly string[]
  /** Told of each function of the language or of Node that is replaced by another, and later put back, before it is. */
  readonly onReplace?: Replaces
}

/** Tracks until it is stopped. */
export interface LeakTracking extends Disposable {
  /**
   * Names of runs that are tracked from now on, in the place of those before. None: nothing is, and nothing costs anything.
   * @param anew of which nothing counts that was seen before, though they may have been tracked; default none
   */
  track(names: Iterable<string>, anew?: Iterable<string>): void
  /** Of each name that is tracked, those without a run left out. */
  figures(): LeakFigures[]
  stop(): void
}

const someTexts = rule(
  'names, each a text that is not empty',
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Symbol.iterator in value &&
    [...(value as Iterable<unknown>)].every((name) => isText(name) && name !== ''),
)
const paths = rule('a list of texts', (value) => Array.isArray(value) && value.every(isText))
const RULES: Rules<TrackLeaksOptions> = {
  names: someTexts,
  onLeaks: callback,
  onFigures: callback,
  fromFirstRun: flag,
  ownPaths: paths,
  onReplace: callback,
}

/**
 * Tells what runs of this thread leave behind (row E4): timers, sockets, files, listeners, workers, child processes, and growth of the
 * heap. What a run has closed, or is closing, 50 ms after its end is not left behind; nor is a socket that a client of HTTP keeps for the
 * next request. Runs that have begun before are not looked at.
 *
 * ```ts
 * using tracking = trackLeaks({ names: ['checkout'] })
 * await runInScope('checkout', () => setInterval(refreshCart, 1_000))
 * ```
 */
export function trackLeaks(options: TrackLeaksOptions): LeakTracking {
  const checked = checkOptions('trackLeaks', options, RULES)
  someTexts(checked.names, 'names')
  const { onLeaks = warnOfLeaks, onFigures = () => {}, fromFirstRun = false } = checked
  const { ownPaths: own = [], onReplace: replaces = () => {} } = checked
  const tracks: Tracks & { names: ReadonlySet<string> } = {
    names: new Set(checked.names),
    fromFirst: fromFirstRun,
    own,
    replaces,
    changed: onFigures,
    tell: (report, run) => told(() => onLeaks(report, run), report),
  }
  tracker.update(tracks, true)
  const stop = () => {
    tracks.names = new Set()
    tracker.update(tracks, false)
  }
  return {
    track(names, anew = []) {
      someTexts(names, 'names')
      someTexts(anew, 'anew')
      const [tracked, begun] = [new Set(names), new Set(anew)]
      tracks.names = new Set([...tracked].filter((name) => !begun.has(name)))
      // What is not tracked is forgotten.
      tracker.update(tracks, true)
      tracks.names = tracked
      tracker.update(tracks, true)
    },
    figures: () =>
      [...tracks.names].map((name) => tracker.figures(name)).filter(({ runs }) => runs > 0),
    stop,
    [Symbol.dispose]: stop,
  }
}

/** A warning of the process: on stderr, where nobody listens for it. */
export function warnOfLeaks(report: LeakReport): void {
  const lines = report.leaks.map(({ kind, count, openedAt }) => {
    return kind === 'heap' ? '- heap' : `- ${count} ${kind}, ${firstFrame(openedAt)}`
  })
  const text = [`${report.run} ${textOfLeaks(report)}:`, ...lines].join('\n')
  process.emitWarning(text, { type: 'OffstageWarning', code: 'LEAKS' })
}

function told(tell: () => unknown, report: LeakReport): Promise<void> | undefined {
  try {
    const telling = tell()
    if (!(telling instanceof Promise)) return undefined
    return telling.then(
      () => {},
      () => warnOfLeaks(report),
    )
  } catch {
    warnOfLeaks(report)
    return undefined
  }
}
