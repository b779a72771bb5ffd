/** What callers may ask of a namespace: the use cases, wired to what they need. */
import type { JobEvents } from '../events/job-events.ts'
import type { Methods } from '../executors/methods.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import { type CallerLeases, createCallerLeases } from './caller-leases.ts'
import { createExclusiveMode, type ExclusiveMode } from './exclusive-mode.ts'
import { createLeaks, type Leaks } from './leaks.ts'
import { createPauses, type Pauses } from './pause.ts'
import { createPreviewRetention, type PreviewRetention } from './preview-retention.ts'
import { createSettings, type Settings } from './settings.ts'

export interface NamespacesOptions {
  readonly stores: Pick<
    SchedulerStores,
    'gates' | 'callerLeases' | 'exclusiveMode' | 'namespaces' | 'retention' | 'leaks'
  >
  readonly jobs: Pick<Jobs, 'cancelJob'>
  readonly methods: Methods
  readonly events: JobEvents
  readonly newId: () => string
  /** Others are told, and this replica goes by it when it resolves. */
  gatesChanged(namespace: string): Promise<void>
}

export interface Namespaces {
  readonly pauses: Pauses
  readonly leases: CallerLeases
  readonly exclusiveMode: ExclusiveMode
  readonly settings: Settings
  readonly previewRetention: PreviewRetention
  readonly leaks: Leaks
}

export function createNamespaces(options: NamespacesOptions): Namespaces {
  const { stores, jobs, methods, events, newId, gatesChanged } = options
  const { cancelJob } = jobs
  return {
    pauses: createPauses({ gates: stores.gates, methods, events }),
    leases: createCallerLeases(stores.callerLeases, newId, gatesChanged),
    exclusiveMode: createExclusiveMode({ store: stores.exclusiveMode, cancelJob, gatesChanged }),
    settings: createSettings(stores.namespaces, gatesChanged),
    previewRetention: createPreviewRetention(stores.namespaces, stores.retention),
    leaks: createLeaks(stores.leaks),
  }
}
