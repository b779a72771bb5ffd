import { DEADLINE_REASONS } from '@offstage/proto/reasons'

/** A deadline that can end an attempt (row J17). */
export type DeadlineName = Exclude<keyof typeof DEADLINE_REASONS, 'queue'>

export interface PassedDeadline {
  readonly deadline: DeadlineName
  /** How long it was; of the total one what was left of it for this attempt. */
  readonly ms: number
}

export function reasonOfDeadline({ deadline }: PassedDeadline) {
  return DEADLINE_REASONS[deadline]
}

export function textOfDeadline({ deadline, ms }: PassedDeadline): string {
  switch (deadline) {
    case 'attempt':
      return `The attempt took longer than its attempt deadline of ${ms} ms.`
    case 'total':
      return 'The job was not done within its total deadline.'
    case 'heartbeat':
      return `The handler said nothing for longer than its heartbeat deadline of ${ms} ms.`
  }
}
