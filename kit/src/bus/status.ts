import type { BusStatus, Subscription } from './bus.ts'

export interface Status {
  readonly current: BusStatus
  set(next: BusStatus): void
  listen(listener: (status: BusStatus) => void): Subscription
}

/** Holds a bus's status and tells its changes; an error of one listener keeps it from no other. */
export function createStatus(first: BusStatus, report: (error: unknown) => void): Status {
  const listeners = new Set<{ readonly tell: (status: BusStatus) => void }>()
  let current = first
  return {
    get current() {
      return current
    },
    set: (next) => {
      if (next === current || current === 'closed') return
      current = next
      for (const { tell } of [...listeners]) {
        try {
          tell(next)
        } catch (error) {
          report(error)
        }
      }
    },
    listen: (tell) => {
      const entry = { tell }
      listeners.add(entry)
      return { unsubscribe: () => void listeners.delete(entry) }
    },
  }
}
