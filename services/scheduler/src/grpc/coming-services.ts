/** Services whose shape is settled and whose work is still to come: each call says so. */
import type { GuardedService } from '@offstage/kit/grpc'
import type { NamespaceServiceServer, ScheduleServiceServer } from '@offstage/proto/jobs'
import { unimplemented } from './unimplemented.ts'

export const scheduleService: GuardedService<ScheduleServiceServer> = {
  createSchedule: unimplemented('schedules.write', 'ScheduleService.CreateSchedule'),
  updateSchedule: unimplemented('schedules.write', 'ScheduleService.UpdateSchedule'),
  getSchedule: unimplemented('schedules.read', 'ScheduleService.GetSchedule'),
  listSchedules: unimplemented('schedules.read', 'ScheduleService.ListSchedules'),
  deleteSchedule: unimplemented('schedules.write', 'ScheduleService.DeleteSchedule'),
  pauseSchedule: unimplemented('schedules.write', 'ScheduleService.PauseSchedule'),
  resumeSchedule: unimplemented('schedules.write', 'ScheduleService.ResumeSchedule'),
  triggerSchedule: unimplemented('schedules.write', 'ScheduleService.TriggerSchedule'),
  listNextRuns: unimplemented('schedules.read', 'ScheduleService.ListNextRuns'),
}

/** Of the namespace service; the others are in namespace-service.ts. */
export const comingNamespaceCalls = {
  createLease: unimplemented('locks.take', 'NamespaceService.CreateLease'),
  renewLease: unimplemented('locks.take', 'NamespaceService.RenewLease'),
  endLease: unimplemented('locks.take', 'NamespaceService.EndLease'),
  enterExclusiveMode: unimplemented('namespaces.administer', 'NamespaceService.EnterExclusiveMode'),
  leaveExclusiveMode: unimplemented('namespaces.administer', 'NamespaceService.LeaveExclusiveMode'),
  acquireLock: unimplemented('locks.take', 'NamespaceService.AcquireLock'),
  releaseLock: unimplemented('locks.take', 'NamespaceService.ReleaseLock'),
  listLocks: unimplemented('namespaces.read', 'NamespaceService.ListLocks'),
} satisfies Partial<GuardedService<NamespaceServiceServer>>
