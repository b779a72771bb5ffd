import { ExecutionMode } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { OffstageError } from '../grpc/mod.ts'
import { setUpClient } from '../testing/client-fixture.ts'
import { type Place, startHere } from './foreground.ts'

/** Attaches at once, and each time it is asked by another id. */
function setUp() {
  let asked = 0
  const id = async () => `session ${++asked}`
  const methods = async () => new Set(['here'])
  const open = async () => ({ id, close: async () => {} })
  return setUpClient({ foreground: { prefer: false, methods, open } })
}
const UNKNOWN = { code: 5, reason: 'EXECUTOR_SESSION_NOT_FOUND' } as const

test('a start waits until the session of this process is attached anew, where its lease was lost', async () => {
  await using it = await setUp()
  it.scheduler.refusals = [UNKNOWN, UNKNOWN]
  const { id } = await it.offstage.startJob('here', undefined, { mode: 'foreground' })
  const { spec } = it.scheduler.jobOf(id)
  expect(spec.executorSessionId).toBe('session 3')
})

test('those of a bulk start that find the session lost are started again in the next one, and no others', async () => {
  await using it = await setUp()
  let lost = 0
  it.scheduler.onStart = ({ params }) => (params !== undefined && ++lost <= 3 ? UNKNOWN : undefined)
  const jobs = await it.offstage.startJobs('here', [undefined, 1, 2], { mode: 'foreground' })
  const specs = jobs.map(({ id }) => it.scheduler.jobOf(id).spec)
  const sessions = specs.map(({ executorSessionId }) => executorSessionId)
  expect(sessions).toEqual(['session 1', 'session 3', 'session 2'])
  expect(it.scheduler.bulkStarts.map(({ jobs }) => jobs.length)).toEqual([3, 2, 1])
  expect(new Set(specs.map(({ requestId }) => requestId)).size).toBe(3)
})

test('a bulk start ends where its session is not to be had again, with the jobs that were started', async () => {
  let asked = 0
  const id = async () => {
    asked += 1
    if (asked > 1) throw new OffstageError({ code: 14, reason: 'GONE', message: 'gone' })
    return 'the first'
  }
  const open = async () => ({ id, close: async () => {} })
  const methods = async () => new Set(['here'])
  await using it = await setUpClient({ foreground: { prefer: false, methods, open } })
  it.scheduler.onStart = ({ params }) => (params === undefined ? undefined : UNKNOWN)
  const outcomes = await it.offstage.startJobsSettled('here', [undefined, 1], {
    mode: 'foreground',
  })
  expect(outcomes.map(({ error }) => error?.reason)).toEqual([undefined, 'GONE'])
})

test('a start that may run elsewhere is left to the scheduler where this process cannot attach', async () => {
  const open = async () => {
    throw new OffstageError({ code: 14, reason: 'SERVICE_UNREACHABLE', message: 'not taken' })
  }
  const methods = async () => new Set(['here'])
  await using it = await setUpClient({ foreground: { prefer: true, methods, open } })
  it.scheduler.refusals = [UNKNOWN]
  const { id } = await it.offstage.startJob('here', undefined, { mode: 'auto' })
  expect(it.scheduler.jobOf(id).spec).toMatchObject({
    mode: ExecutionMode.EXECUTION_MODE_AUTO,
    executorSessionId: expect.stringMatching(/^.{36}$/),
  })
  const forced = it.offstage.startJob('here', undefined, { mode: 'foreground' })
  await expect(forced).rejects.toMatchObject({ reason: 'SERVICE_UNREACHABLE' })
})

test('a start that is to run here first is left to executors where its session is not to be had again', async () => {
  const { EXECUTION_MODE_AUTO, EXECUTION_MODE_FOREGROUND, EXECUTION_MODE_FOREGROUND_FIRST } =
    ExecutionMode
  const startIn = async (mode: ExecutionMode) => {
    const place = { mode, executorSessionId: 'lost' }
    const asked: ExecutionMode[] = []
    const start = async (at: Place) => {
      asked.push(at.mode)
      if (at.mode !== EXECUTION_MODE_AUTO) throw new OffstageError({ ...UNKNOWN, message: 'lost' })
    }
    const error = await startHere(Promise.resolve(place), () => place, start, undefined, 1).catch(
      (thrown) => thrown,
    )
    return { asked, error }
  }
  const first = await startIn(EXECUTION_MODE_FOREGROUND_FIRST)
  expect(first.error).toBeUndefined()
  expect(first.asked.pop()).toBe(EXECUTION_MODE_AUTO)
  expect(new Set(first.asked)).toEqual(new Set([EXECUTION_MODE_FOREGROUND_FIRST]))
  const forced = await startIn(EXECUTION_MODE_FOREGROUND)
  expect(forced.error).toMatchObject(UNKNOWN)
  expect(new Set(forced.asked)).toEqual(new Set([EXECUTION_MODE_FOREGROUND]))
})

test('a session that the caller names itself is named once', async () => {
  await using it = await setUp()
  it.scheduler.refusals = [UNKNOWN]
  const named = { mode: 'foreground', executorSessionId: 'of another' } as const
  await expect(it.offstage.startJob('here', undefined, named)).rejects.toMatchObject(UNKNOWN)
  it.scheduler.onStart = () => UNKNOWN
  const [outcome] = await it.offstage.startJobsSettled('here', [1], named)
  expect(outcome?.error).toMatchObject(UNKNOWN)
  expect(it.scheduler.bulkStarts).toHaveLength(1)
})
