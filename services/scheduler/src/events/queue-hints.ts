import type { Subscription } from '@offstage/kit/bus'
import { createService, type Service } from '@offstage/kit/lifecycle'
import type { JobEvents } from './job-events.ts'

/** While started, tells of queues into which jobs were put, here or on other replicas. */
export function createQueueHints(
  events: Pick<JobEvents, 'onQueueReady'>,
  onReady: (namespace: string, method: string) => void,
): Service {
  let subscription: Subscription | undefined
  return createService({
    name: 'queue hints',
    async start() {
      subscription = events.onQueueReady(onReady)
    },
    async stop() {
      subscription?.unsubscribe()
    },
  })
}
