import { createService, type Service } from './service.ts'

/**
 * One service out of several: started in order, stopped in reverse. A start that fails stops what
 * had started and rejects with the same error. A stop goes through all of them even when some fail,
 * and rejects with the error, or with an AggregateError of several.
 */
export function composeServices(name: string, services: readonly Service[]): Service {
  const begun: Service[] = []
  return createService({
    name,
    start: async (signal) => {
      for (const service of services) {
        signal.throwIfAborted()
        begun.push(service)
        await startUnlessAborted(service, signal)
      }
    },
    stop: async () => {
      const errors: unknown[] = []
      for (const service of begun.toReversed()) {
        await service.stop().catch((error) => errors.push(error))
      }
      if (errors.length === 1) throw errors[0]
      if (errors.length > 1) throw new AggregateError(errors, `${name} failed to stop`)
    },
  })
}

async function startUnlessAborted(service: Service, signal: AbortSignal): Promise<void> {
  const stop = () => {
    service.stop().catch(() => {
      // The same promise is awaited, and its error told, when the whole is stopped.
    })
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    await service.start()
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
