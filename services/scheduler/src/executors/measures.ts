import type { Measures } from '@offstage/kit/telemetry'
import type { Attachments } from './attachments.ts'
import type { LeaseCounts } from './leases.ts'

/** What this replica has to do with executors: of several, the numbers add up. */
export function executorMeasures(
  attachments: Attachments,
  counts: Readonly<LeaseCounts>,
): Measures {
  return {
    metrics: [
      {
        name: 'offstage_scheduler_attachments',
        help: 'Executors attached to this replica',
        kind: 'gauge',
        read: () => attachments.size,
      },
      {
        name: 'offstage_scheduler_leases_lost_total',
        help: 'Leases of executors that ran out, found by this replica',
        kind: 'counter',
        read: () => counts.leasesLost,
      },
      {
        name: 'offstage_scheduler_jobs_released_total',
        help: 'Jobs that this replica took from executors whose lease was over',
        kind: 'counter',
        read: () => counts.jobsReleased,
      },
    ],
  }
}
