/** Services whose shape is settled and whose work is still to come: each call says so. */
import type { NamespaceServiceServer, ScheduleServiceServer } from '@offstage/proto/jobs'
import { unimplemented } from './unimplemented.ts'

export const scheduleService: ScheduleServiceServer = {
  createSchedule: unimplemented('ScheduleService.CreateSchedule'),
  updateSchedule: unimplemented('ScheduleService.UpdateSchedule'),
  getSchedule: unimplemented('ScheduleService.GetSchedule'),
  listSchedules: unimplemented('ScheduleService.ListSchedules'),
  deleteSchedule: unimplemented('ScheduleService.DeleteSchedule'),
  pauseSchedule: unimplemented('ScheduleService.PauseSchedule'),
  resumeSchedule: unimplemented('ScheduleService.ResumeSchedule'),
  triggerSchedule: unimplemented('ScheduleService.TriggerSchedule'),
  listNextRuns: unimplemented('ScheduleService.ListNextRuns'),
}

export const namespaceService: NamespaceServiceServer = {
  getNamespace: unimplemented('NamespaceService.GetNamespace'),
  updateNamespace: unimplemented('NamespaceService.UpdateNamespace'),
  enterExclusiveMode: unimplemented('NamespaceService.EnterExclusiveMode'),
  leaveExclusiveMode: unimplemented('NamespaceService.LeaveExclusiveMode'),
  acquireLock: unimplemented('NamespaceService.AcquireLock'),
  releaseLock: unimplemented('NamespaceService.ReleaseLock'),
  listLocks: unimplemented('NamespaceService.ListLocks'),
  listMethods: unimplemented('NamespaceService.ListMethods'),
  pauseMethod: unimplemented('NamespaceService.PauseMethod'),
  resumeMethod: unimplemented('NamespaceService.ResumeMethod'),
}
