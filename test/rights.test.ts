/** Every RPC of the three services × every role: who gets past its door, by token and as they are believed (guarantee 8). */
import { ROLES, type Role } from '@offstage/kit/auth'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EveryRpc, type How, startEveryRpc } from './testing/every-rpc.ts'

const OWNERS: readonly Role[] = ['admin', 'operator', 'user', 'service']
const LOOKERS: readonly Role[] = [...OWNERS, 'reader']
const WRITERS: readonly Role[] = [...OWNERS, 'executor']
const NAMESPACE: readonly Role[] = ROLES.filter((role) => role !== 'scaler')
const SCALERS: readonly Role[] = ['admin', 'operator', 'reader', 'scaler']

/** Who gets past the door of each RPC, written down a second time on purpose. */
const DOORS: Readonly<Record<string, readonly Role[]>> = {
  'JobService.StartJob': OWNERS,
  'JobService.StartJobs': OWNERS,
  'JobService.GetJob': LOOKERS,
  'JobService.ListJobs': LOOKERS,
  'JobService.WaitJobs': LOOKERS,
  'JobService.WatchJobs': LOOKERS,
  'JobService.FollowJobs': LOOKERS,
  'JobService.CountJobs': LOOKERS,
  'JobService.CancelJob': OWNERS,
  'JobService.CancelJobs': OWNERS,
  'JobService.RetryJobs': OWNERS,
  'JobService.DeleteJobs': OWNERS,
  'JobService.RetryJob': OWNERS,
  'JobService.DeleteJob': OWNERS,
  'JobService.PinJob': OWNERS,
  'JobService.UnpinJob': OWNERS,
  'JobService.ListJobMessages': LOOKERS,
  'JobService.ExplainJob': LOOKERS,
  'ScheduleService.CreateSchedule': OWNERS,
  'ScheduleService.UpdateSchedule': OWNERS,
  'ScheduleService.GetSchedule': LOOKERS,
  'ScheduleService.ListSchedules': LOOKERS,
  'ScheduleService.DeleteSchedule': OWNERS,
  'ScheduleService.PauseSchedule': OWNERS,
  'ScheduleService.ResumeSchedule': OWNERS,
  'ScheduleService.TriggerSchedule': OWNERS,
  'ScheduleService.BackfillSchedule': OWNERS,
  'ScheduleService.ListNextRuns': LOOKERS,
  'NamespaceService.GetNamespace': NAMESPACE,
  'NamespaceService.UpdateNamespace': ['admin'],
  'NamespaceService.PreviewRetention': ['admin', 'operator'],
  'NamespaceService.CreateLease': OWNERS,
  'NamespaceService.RenewLease': OWNERS,
  'NamespaceService.EndLease': OWNERS,
  'NamespaceService.ListExecutors': ['admin', 'operator', 'reader'],
  'NamespaceService.ListActs': ['admin'],
  'NamespaceService.PauseNamespace': ['admin', 'operator'],
  'NamespaceService.ResumeNamespace': ['admin', 'operator'],
  'NamespaceService.EnterExclusiveMode': ['admin', 'service'],
  'NamespaceService.LeaveExclusiveMode': ['admin', 'service'],
  'NamespaceService.AcquireLock': OWNERS,
  'NamespaceService.ReleaseLock': OWNERS,
  'NamespaceService.ListLocks': NAMESPACE,
  'NamespaceService.RefreshValues': WRITERS,
  'NamespaceService.ListRefreshes': WRITERS,
  'NamespaceService.WatchRefreshes': WRITERS,
  'NamespaceService.TrackLeaks': ['admin', 'operator'],
  'NamespaceService.StopTrackingLeaks': ['admin', 'operator'],
  'NamespaceService.ListLeaks': ['admin', 'operator', 'reader'],
  'NamespaceService.ReportLeaks': ['admin', 'executor', 'service'],
  'NamespaceService.ListMethods': NAMESPACE,
  'NamespaceService.PauseMethod': ['admin', 'operator'],
  'NamespaceService.ResumeMethod': ['admin', 'operator'],
  'NamespaceService.PausePool': ['admin', 'operator'],
  'NamespaceService.ResumePool': ['admin', 'operator'],
  'ExecutorService.Attach': ['admin', 'executor'],
  'ExecutorService.IssueAttemptToken': ['admin', 'executor'],
  'ExecutorService.CheckAttempt': ROLES,
  'ExecutorService.GetAttemptKeys': ROLES,
  'ExecutorService.FindNeededValues': ['admin', 'service'],
  'ExecutorService.ListDiscardedValues': ['admin', 'service'],
  'ExecutorControlService.DescribeExecutor': ['admin', 'operator', 'reader'],
  'ExecutorControlService.Drain': ['admin', 'operator'],
  'ExternalScaler.IsActive': SCALERS,
  'ExternalScaler.StreamIsActive': SCALERS,
  'ExternalScaler.GetMetricSpec': SCALERS,
  'ExternalScaler.GetMetrics': SCALERS,
  'ExternalScaler.StreamMetricSpec': SCALERS,
  'StorageService.PutValue': WRITERS,
  'StorageService.GetValue': WRITERS,
  'StorageService.ReadAndDeleteValue': WRITERS,
  'StorageService.DescribeValue': WRITERS,
  'StorageService.ReserveAddress': WRITERS,
  'StorageService.DeleteValue': WRITERS,
  'StorageService.ListValues': WRITERS,
  'StorageService.ListActs': ['admin'],
  'StorageService.StartUpload': WRITERS,
  'StorageService.GetUpload': WRITERS,
  'StorageService.OpenScope': WRITERS,
  'StorageService.KeepScopeAlive': WRITERS,
  'StorageService.CloseScope': WRITERS,
}

/** One that would stay open is refused for its request. */
const REQUESTS: Readonly<Record<string, object>> = {
  'NamespaceService.WatchRefreshes': { afterEpoch: -1n },
}

const WAYS: readonly How[] = ['believed', 'token']

let it: EveryRpc
beforeAll(async () => {
  it = await startEveryRpc()
})
afterAll(() => it[Symbol.asyncDispose]())

test('every RPC has a line in the table', () => {
  expect(Object.keys(DOORS).sort()).toEqual([...it.names].sort())
})

describe.each(Object.entries(DOORS))('%s', (name, doors) => {
  const everyWay = WAYS.flatMap((how) =>
    [...ROLES, 'nobody' as Role].map((role) => [role, how] as const),
  )
  test.each(everyWay)('lets in by role: %s, %s', async (role, how) => {
    const { outcome, text } = await it.call(name, { role }, REQUESTS[name] ?? {}, how)
    if (doors.includes(role)) expect(outcome).not.toBe('PERMISSION_DENIED')
    else
      expect([outcome, text]).toEqual([
        'PERMISSION_DENIED',
        expect.stringContaining(' needs one of the roles admin'),
      ])
  })
})
