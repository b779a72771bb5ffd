import type { Subscription } from '@offstage/kit/bus'
import { createService, type Service } from '@offstage/kit/lifecycle'
import type { JobEvents } from './job-events.ts'

/** While started, tells of schedules that were changed, here or on other replicas. */
export function createScheduleHints(
  events: Pick<JobEvents, 'onSchedulesChanged'>,
  onChanged: () => void,
): Service {
  let subscription: Subscription | undefined
  return createService({
    name: 'schedule hints',
    async start() {
      subscription = events.onSchedulesChanged(onChanged)
    },
    async stop() {
      subscription?.unsubscribe()
    },
  })
}
