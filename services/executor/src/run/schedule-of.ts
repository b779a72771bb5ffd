import type { JobContext } from '@offstage/sdk/jobs'

/** What the scheduler says in the labels of jobs that a schedule has created. */
export function scheduleOf(labels: Readonly<Record<string, string>>): JobContext['schedule'] {
  const { 'offstage.schedule': id, 'offstage.due_time': due = '' } = labels
  const dueTime = new Date(due)
  return id === undefined || Number.isNaN(dueTime.getTime()) ? undefined : { id, dueTime }
}
