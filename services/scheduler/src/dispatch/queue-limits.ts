/**
 * Limits on how many jobs of a method wait to begin (row J20), in the queue or for what comes before it: starts beyond them are refused.
 *
 * They are counted once for all starts of a batch, and batches that limits concern follow each other (starts.ts). So one
 * replica keeps the limits; several that start at the same moment may exceed them by what each has under way.
 */
import type { Refusal } from '@offstage/kit/grpc'
import type { Admission } from '../admission/admission.ts'
import type { LimitedQueue } from '../domain/method-limit.ts'
import { queueKey } from '../domain/queue-key.ts'
import { type StartCommand, soughtFrom } from '../domain/start-command.ts'
import type { StartStore } from '../ports/starts.ts'
import { queueFull } from './refusals.ts'

export interface QueueLimitsOptions {
  readonly store: Pick<StartStore, 'countQueued' | 'findExisting'>
  readonly admission: Pick<Admission, 'limitsOf'>
}

interface Item {
  readonly command: StartCommand
}

interface Refused {
  readonly kind: 'refused'
  readonly refusal: Refusal
}

export class QueueLimits {
  readonly #options: QueueLimitsOptions

  constructor(options: QueueLimitsOptions) {
    this.#options = options
  }

  /** Starts those that there is room for, and refuses the rest. */
  async allow<T extends Item, O>(
    items: readonly T[],
    start: (allowed: readonly T[]) => Promise<readonly O[]>,
  ): Promise<readonly (O | Refused)[]> {
    if (!items.some(({ command }) => this.#queuesOf(command).length > 0)) return start(items)
    const refusals = await this.#refusals(items.map(({ command }) => command))
    const allowed = items.filter((_, index) => refusals[index] === undefined)
    const started = allowed.length === 0 ? [] : await start(allowed)
    let next = 0
    return refusals.map((refusal): O | Refused =>
      refusal === undefined ? (started[next++] as O) : { kind: 'refused', refusal },
    )
  }

  async #refusals(commands: readonly StartCommand[]): Promise<(Refusal | undefined)[]> {
    const queues = new Map<string, LimitedQueue>()
    for (const command of commands) {
      for (const queue of this.#queuesOf(command)) queues.set(nameOf(queue), queue)
    }
    const counts = await this.#options.store.countQueued([...queues.values()])
    const queued = new Map([...queues.keys()].map((name, index) => [name, counts[index] ?? 0]))
    const most = (queue: LimitedQueue) => (queued.get(nameOf(queue)) ?? 0) + commands.length
    const isNear = (command: StartCommand) =>
      this.#queuesOf(command).some((queue) => most(queue) > queue.queuedMax)
    const known = await this.#known(commands.filter(isNear))
    return commands.map((command) => {
      // It is answered with a job that there is, and adds none.
      if (known.has(command)) return undefined
      const own = this.#queuesOf(command)
      const full = own.find((queue) => (queued.get(nameOf(queue)) ?? 0) >= queue.queuedMax)
      if (full !== undefined) return queueFull(full)
      for (const queue of own) queued.set(nameOf(queue), (queued.get(nameOf(queue)) ?? 0) + 1)
      return undefined
    })
  }

  #queuesOf(command: StartCommand): readonly LimitedQueue[] {
    const { namespace, method, limitKey: key } = command
    const limits = this.#options.admission.limitsOf(namespace, method)
    if (limits === undefined) return NONE
    const queues: LimitedQueue[] = []
    const { whole, perKey } = limits
    if (whole?.queuedMax)
      queues.push({ namespace, method, key: undefined, queuedMax: whole.queuedMax })
    if (perKey?.queuedMax && key !== undefined) {
      queues.push({ namespace, method, key, queuedMax: perKey.queuedMax })
    }
    return queues
  }

  /** Those of them that a job there is answers. */
  async #known(commands: readonly StartCommand[]): Promise<ReadonlySet<StartCommand>> {
    const known = new Set<StartCommand>()
    const named = commands.filter(({ requestId, key }) => requestId !== '' || key !== '')
    for (let from = 0; from < named.length; from += LOOKED_UP_AT_ONCE) {
      const part = named.slice(from, from + LOOKED_UP_AT_ONCE)
      const existing = await this.#options.store.findExisting(part.map(soughtFrom))
      for (const [index, command] of part.entries()) {
        const by = existing[index]?.by
        const isBehind = command.keyConflict === 'queue-behind'
        if (by === 'request-id' || (by === 'key' && !isBehind)) known.add(command)
      }
    }
    return known
  }
}

/** They come with their parameters and results. */
const LOOKED_UP_AT_ONCE = 100
const NONE: readonly LimitedQueue[] = []

/** Methods have no blanks either. */
function nameOf({ namespace, method, key }: LimitedQueue): string {
  const name = queueKey(namespace, method)
  return key === undefined ? name : `${name} ${key}`
}
