import type { Subscription } from '@offstage/kit/bus'
import { createService, type Service } from '@offstage/kit/lifecycle'

/** While started, tells of what was done here or on other replicas, as `listen` has it told. */
export function createHints(name: string, listen: () => Subscription): Service {
  let subscription: Subscription | undefined
  return createService({
    name,
    async start() {
      subscription = listen()
    },
    async stop() {
      subscription?.unsubscribe()
    },
  })
}
