/**
 * The bus of a single process: the embedded default, where the services share one process.
 *
 * Invariants:
 *  1. Nothing is delivered from within `publish`: messages wait for the next turn of the event
 *     loop, as they would behind a socket, so no caller comes to rely on a call stack.
 *  2. Who gets a message is decided when it is published; who has unsubscribed since gets nothing.
 *  3. At most PENDING_MAX messages wait; beyond that they are dropped and counted.
 */
import type { Bus, BusMessage, BusStatus } from './bus.ts'
import { createMessage } from './message.ts'
import { checkPattern, createMatcher, hasWildcards, type Matcher } from './pattern.ts'
import { createStatus } from './status.ts'

interface Subscriber {
  readonly onMessage: (message: BusMessage) => void
  readonly matches: Matcher
  active: boolean
}

interface Delivery {
  readonly message: BusMessage
  readonly to: readonly Subscriber[]
}

const PENDING_MAX = 65_536

export interface InProcessBusOptions {
  /** Told of errors thrown by handlers and listeners. Default: nobody is. */
  onError?(error: unknown): void
}

/** Makes a bus that is connected until it is disposed of. */
export function createInProcessBus(options: InProcessBusOptions = {}): Bus {
  const report = (error: unknown) => options.onError?.(error)
  const status = createStatus('connected', report)
  const counts = { published: 0, dropped: 0, received: 0 }
  // Most subscriptions are for one job: finding them must not take a walk over all the others.
  const exact = new Map<string, Set<Subscriber>>()
  const wild = new Set<Subscriber>()
  let pending: Delivery[] = []
  let delivered: Promise<void> = Promise.resolve()

  const deliver = ({ message, to }: Delivery) => {
    for (const subscriber of to) {
      if (!subscriber.active) continue
      counts.received += 1
      try {
        subscriber.onMessage(message)
      } catch (error) {
        report(error)
      }
    }
  }

  const deliverSoon = () => {
    const turn = Promise.withResolvers<void>()
    delivered = turn.promise
    setImmediate(() => {
      const batch = pending
      pending = []
      for (const delivery of batch) deliver(delivery)
      turn.resolve()
    })
  }

  return {
    kind: 'in-process',
    get status(): BusStatus {
      return status.current
    },
    onStatusChange: status.listen,
    publish: (subject, payload, headers) => {
      const message = createMessage(subject, payload, headers)
      if (status.current === 'closed' || pending.length >= PENDING_MAX) {
        counts.dropped += 1
        return
      }
      counts.published += 1
      const to = [...(exact.get(subject) ?? [])]
      for (const subscriber of wild) if (subscriber.matches(subject)) to.push(subscriber)
      pending.push({ message, to })
      if (pending.length === 1) deliverSoon()
    },
    subscribe: (subject, onMessage) => {
      checkPattern(subject)
      const subscriber = { onMessage, matches: createMatcher(subject), active: true }
      const remove = hasWildcards(subject)
        ? addTo(wild, subscriber)
        : addToExact(exact, subject, subscriber)
      return {
        unsubscribe: () => {
          subscriber.active = false
          remove()
        },
      }
    },
    flush: () => delivered,
    stats: () => ({ ...counts }),
    [Symbol.asyncDispose]: async () => {
      status.set('closed')
      await delivered
      for (const subscriber of [...wild, ...[...exact.values()].flatMap((each) => [...each])]) {
        subscriber.active = false
      }
      wild.clear()
      exact.clear()
    },
  }
}

function addTo(set: Set<Subscriber>, subscriber: Subscriber): () => void {
  set.add(subscriber)
  return () => set.delete(subscriber)
}

function addToExact(
  exact: Map<string, Set<Subscriber>>,
  subject: string,
  subscriber: Subscriber,
): () => void {
  const set = exact.get(subject) ?? new Set()
  exact.set(subject, set.add(subscriber))
  return () => {
    set.delete(subscriber)
    if (set.size === 0 && exact.get(subject) === set) exact.delete(subject)
  }
}
