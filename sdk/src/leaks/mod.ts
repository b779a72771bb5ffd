/** What runs leave behind (row E4): `docs/guides/leaks.md`. */

export type { LeakKind } from '@offstage/proto/leak-kinds'
export {
  bytesText,
  type Leak,
  type LeakFigure,
  type LeakFigures,
  type LeakReport,
  textOfLeaks,
} from './leak.ts'
export type { Replaces } from './listeners.ts'
export {
  type LeakTracking,
  type TrackLeaksOptions,
  trackLeaks,
  warnOfLeaks,
} from './track-leaks.ts'
