/** Tracks in this process what operators ask for (row E4). What it takes is loaded when there is something to track. */
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { callback } from '../arguments/rules.ts'
import type { LeakFigures, LeakReport } from '../leaks/leak.ts'
import type { LeakTracking } from '../leaks/track-leaks.ts'
import type { Run } from '../runs/mod.ts'
import { type LeakReports, LeakSync } from './leak-sync.ts'

export interface FollowLeaksOptions {
  /** As in `trackLeaks`. Default: a warning of the process, with the code `LEAKS`. */
  readonly onLeaks?: (report: LeakReport, run: Run) => unknown
}

const RULES: Rules<FollowLeaksOptions> = { onLeaks: callback }

export function followLeaks(calls: LeakReports, options: FollowLeaksOptions): AsyncDisposable {
  const checked = checkOptions('follow', options, RULES)
  const changed = new Set<string>()
  let tracking: LeakTracking | undefined
  let wanted: readonly string[] = []
  const track = async (names: readonly string[], anew: readonly string[]) => {
    wanted = names
    for (const name of anew) changed.delete(name)
    if (tracking === undefined && names.length > 0) {
      const { trackLeaks } = await import('../leaks/track-leaks.ts')
      const onFigures = (name: string) => void changed.add(name)
      tracking ??= trackLeaks({ ...checked, names: [], onFigures })
    }
    tracking?.track(wanted, anew)
  }
  const sync = new LeakSync({
    calls,
    found: {
      takeChanged() {
        const names = new Set(changed)
        changed.clear()
        return (tracking?.figures() ?? []).filter(({ name }) => names.has(name))
      },
      giveBack(figures: readonly LeakFigures[]) {
        for (const { name } of figures) changed.add(name)
      },
    },
    track: (...order) => void track(...order),
  })
  sync.start()
  return {
    async [Symbol.asyncDispose]() {
      await sync.stop()
      tracking?.stop()
    },
  }
}
