import { execFileSync } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnProcess, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startFakeScheduler } from './testing/fake-scheduler.ts'
import { TEST_JOBS } from './testing/setup.ts'

const main = new URL('./main.ts', import.meta.url)
// The program as it is written, not its bundle.
delete process.env.TEST_BUNDLES

function environment(scheduler: string, jobs = TEST_JOBS) {
  return {
    OFFSTAGE_JOBS: jobs,
    OFFSTAGE_SCHEDULER: scheduler,
    OFFSTAGE_EXECUTOR_PORT: '0',
    OFFSTAGE_EXECUTOR_DRAIN_GRACE: '10ms',
  }
}

test('SIGTERM drains: running attempts are handed back and the process ends well', async () => {
  await using scheduler = await startFakeScheduler()
  await using it = await spawnProcess({
    main,
    env: environment(scheduler.address),
    ready: /"attached"/,
  })
  const attachment = await scheduler.attachment()
  attachment.assign('a', 'test.obedient')
  await attachment.running('a')
  expect(await it.kill()).toMatchObject({ code: 0 })
  expect(attachment.handedBack).toEqual(['a'])
})

test('SIGTERM ends it though a handler is in a call that nothing interrupts', async () => {
  const pipe = join(await mkdtemp(join(tmpdir(), 'offstage-pipe-')), 'pipe')
  execFileSync('mkfifo', [pipe])
  await using scheduler = await startFakeScheduler()
  await using it = await spawnProcess({
    main,
    env: environment(scheduler.address),
    ready: /"attached"/,
  })
  const attachment = await scheduler.attachment()
  attachment.assign('a', 'test.stuck', { pipe })
  await attachment.running('a')
  // An exit of its own would wait for the thread.
  expect(await it.kill()).toEqual({ code: null, signal: 'SIGTERM' })
  expect(attachment.handedBack).toEqual(['a'])
})

test('a second SIGTERM ends it at once, though a handler is in a call that nothing interrupts', async () => {
  const pipe = join(await mkdtemp(join(tmpdir(), 'offstage-pipe-')), 'pipe')
  execFileSync('mkfifo', [pipe])
  await using scheduler = await startFakeScheduler()
  await using it = await spawnProcess({
    main,
    env: { ...environment(scheduler.address), OFFSTAGE_EXECUTOR_DRAIN_GRACE: '1h' },
    ready: /"attached"/,
  })
  const attachment = await scheduler.attachment()
  attachment.assign('a', 'test.stuck', { pipe })
  await attachment.running('a')
  it.signal('SIGTERM')
  await until(() => attachment.frames.some(({ draining }) => draining))
  expect(await it.kill()).toEqual({ code: null, signal: 'SIGTERM' })
})

test('job modules that cannot be loaded end the process with the reason', async () => {
  await using scheduler = await startFakeScheduler()
  const started = spawnProcess({
    main,
    env: environment(scheduler.address, '/no/such/jobs.ts'),
    ready: /"attached"/,
  })
  await expect(started).rejects.toThrow(/exit code 78/)
  const problem = 'OFFSTAGE_JOBS: cannot find the job modules at /no/such/jobs.ts'
  await expect(started).rejects.toThrow(problem)
  await expect(started).rejects.not.toThrow('    at ')
})
