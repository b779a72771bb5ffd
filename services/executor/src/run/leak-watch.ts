/** Tracks, while it is told to, what the attempts of this thread leave behind: told as messages of their jobs, and in figures to the executor. */
// As in reporter.ts.
import { clearTimeout, setTimeout } from 'node:timers'
import { LIMITS } from '@offstage/proto/limits'
import type { LeakReport, LeakTracking } from '@offstage/sdk/leaks'
import type { Run } from '@offstage/sdk/runs'
import { OWN_FRAMES } from '../domain/fault.ts'
import type { LeakFigures, LeakOrder } from '../domain/leaks.ts'
import { AttemptRun } from './attempt-run.ts'
import type { GlobalsWatch } from './globals-watch.ts'

const TELL_MS = 300
/** With so many places, each of so many characters, a message is as large as it may be. */
const PLACES_MAX = 8
const PLACE_CHARACTERS_MAX = 1_500

export interface LeakWatchOptions {
  readonly globals: Pick<GlobalsWatch, 'replaces'>
  /** `round`: of the order under which they were seen. */
  tell(figures: readonly LeakFigures[], round: number): void
}

export class LeakWatch {
  readonly #options: LeakWatchOptions
  readonly #changed = new Set<string>()
  #tracking: Promise<LeakTracking> | undefined
  #started: LeakTracking | undefined
  #timer: NodeJS.Timeout | undefined
  #round = 0

  constructor(options: LeakWatchOptions) {
    this.#options = options
  }

  /** Resolves when it is obeyed. */
  async obey({ names, anew, round, fromFirstRun }: LeakOrder): Promise<void> {
    this.#tracking ??= this.#start(fromFirstRun)
    const tracking = await this.#tracking
    this.flush()
    this.#round = round
    tracking.track(names, anew)
  }

  /** Tells what it knows. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const figures = (this.#started?.figures() ?? []).filter(({ name }) => this.#changed.has(name))
    this.#changed.clear()
    if (figures.length > 0) this.#options.tell(figures.map(cutFigures), this.#round)
  }

  /** Loaded when wanted: most threads never track. */
  async #start(fromFirstRun: boolean): Promise<LeakTracking> {
    const { trackLeaks, textOfLeaks } = await import('@offstage/sdk/leaks')
    const { globals } = this.#options
    this.#started = trackLeaks({
      names: [],
      fromFirstRun,
      ownPaths: OWN_FRAMES,
      onReplace: (...change) => globals.replaces(...change),
      onLeaks: (report, run) => message(report, run, textOfLeaks(report)),
      onFigures: (name) => {
        this.#changed.add(name)
        this.#timer ??= setTimeout(() => this.flush(), TELL_MS).unref()
      },
    })
    return this.#started
  }
}

/** On the record of the job, whichever section of it has leaked. */
function message(report: LeakReport, run: Run, text: string): void {
  if (!(run.root instanceof AttemptRun)) return
  const leaks = report.leaks.slice(0, PLACES_MAX).map(({ openedAt, ...leak }) => {
    return { ...leak, openedAt: openedAt.slice(0, PLACE_CHARACTERS_MAX) }
  })
  const [first] = leaks.flatMap(({ openedAt }) => openedAt.split('\n', 1)[0]?.trim() || [])
  const where = first === undefined ? '' : ` ${first}`
  const extra = { leaks, run: report.run }
  run.root.message(`${report.run} ${text}${where}`, { severity: 'warning', extra })
}

function cutFigures({ leaks, ...figures }: LeakFigures): LeakFigures {
  const cut = leaks.slice(0, LIMITS.leakPlacesMax).map(({ openedAt, ...leak }) => {
    return { ...leak, openedAt: openedAt.slice(0, LIMITS.leakPlaceCharactersMax) }
  })
  return { ...figures, leaks: cut }
}
