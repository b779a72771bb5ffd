/** Holding back queued jobs of a method, a pool or a namespace, and letting them go on (row J20). What runs goes on. */
import type { ActBy } from '../domain/act.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Methods } from '../executors/methods.ts'
import type { GateStore } from '../ports/namespaces.ts'
import { methodUnknown } from '../refusals.ts'

export interface Pauses {
  /** Once it resolves, no replica lets a job of the namespace begin. */
  pauseNamespace(namespace: string, by: ActBy): Promise<void>
  resumeNamespace(namespace: string, by: ActBy): Promise<void>
  /** Once it resolves, no replica lets a job of the pool begin; it needs no executor. */
  pausePool(namespace: string, pool: string, by: ActBy): Promise<void>
  resumePool(namespace: string, pool: string, by: ActBy): Promise<void>
  /** Once it resolves, no replica lets a job of the method begin. */
  pauseMethod(namespace: string, method: string, by: ActBy): Promise<void>
  resumeMethod(namespace: string, method: string, by: ActBy): Promise<void>
}

export interface PausesOptions {
  readonly gates: GateStore
  readonly methods: Methods
  readonly events: JobEvents
}

export function createPauses({ gates, methods, events }: PausesOptions): Pauses {
  const known = async (namespace: string, method: string) => {
    const found = methods.peek(namespace, method) ?? (await methods.find(namespace, method))
    if (found === undefined) {
      throw methodUnknown(namespace, method, await methods.names(namespace))
    }
  }
  const tell = (namespace: string, changed: boolean) => {
    if (changed) events.gatesChanged(namespace)
  }
  return {
    async pauseNamespace(namespace, by) {
      tell(namespace, await gates.pauseNamespace(namespace, by))
    },
    async resumeNamespace(namespace, by) {
      tell(namespace, await gates.resumeNamespace(namespace, by))
    },
    async pausePool(namespace, pool, by) {
      tell(namespace, await gates.pausePool(namespace, pool, by))
    },
    async resumePool(namespace, pool, by) {
      tell(namespace, await gates.resumePool(namespace, pool, by))
    },
    async pauseMethod(namespace, method, by) {
      await known(namespace, method)
      tell(namespace, await gates.pauseMethod(namespace, method, by))
    },
    async resumeMethod(namespace, method, by) {
      await known(namespace, method)
      tell(namespace, await gates.resumeMethod(namespace, method, by))
    },
  }
}
