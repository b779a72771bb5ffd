import { AsyncLocalStorage } from 'node:async_hooks'
import { type Context, type ContextManager, ROOT_CONTEXT } from '@opentelemetry/api'

/**
 * Carries the active context across awaits. Registered only while telemetry runs, so a process
 * without it pays nothing for async tracking.
 */
export function createContextManager(): ContextManager {
  const storage = new AsyncLocalStorage<Context>()
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (context, work, self, ...args) =>
      storage.run(context, () => work.apply(self as ThisParameterType<typeof work>, args)),
    bind: (context, target) => {
      if (typeof target !== 'function') return target
      const bound = (...args: unknown[]) => storage.run(context, () => target(...args))
      return bound as typeof target
    },
    enable: () => manager,
    disable: () => {
      storage.disable()
      return manager
    },
  }
  return manager
}
