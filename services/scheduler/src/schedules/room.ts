/** How many schedules there may be: a namespace has its limit, and one owner a share of it. */
import type { Refusal } from '@offstage/kit/grpc'
import { LIMITS } from '@offstage/proto/limits'
import type { ScheduleStore } from '../ports/schedules.ts'
import { ownerSchedulesFull, schedulesFull } from './refusals.ts'

export interface RoomOptions {
  readonly store: Pick<ScheduleStore, 'findFull'>
  readonly ownerSchedulesMax: number
}

/** Why there is no room for one more. */
export async function noRoomFor(
  { store, ownerSchedulesMax: ownerMax }: RoomOptions,
  of: { readonly namespace: string; readonly owner: string },
): Promise<Refusal | undefined> {
  const { schedulesMax } = LIMITS
  switch (await store.findFull(of, { namespace: schedulesMax, owner: ownerMax })) {
    case 'namespace':
      return schedulesFull(of.namespace, schedulesMax)
    case 'owner':
      return ownerSchedulesFull(of.owner, of.namespace, ownerMax)
    default:
      return undefined
  }
}
