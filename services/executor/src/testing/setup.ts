import { fileURLToPath } from 'node:url'
import type { Authenticate } from '@offstage/kit/auth'
import { createLogger } from '@offstage/kit/telemetry'
import { createExecutor, type Executor, readExecutorConfig } from '../mod.ts'
import { type Attachment, type FakeScheduler, startFakeScheduler } from './fake-scheduler.ts'

export const TEST_JOBS = fileURLToPath(new URL('./jobs.ts', import.meta.url))

export interface Setup extends AsyncDisposable {
  readonly scheduler: FakeScheduler
  readonly executor: Executor
  /** The first attachment. */
  readonly attachment: Attachment
  /** What it has written to its log, warnings and worse. */
  readonly logged: readonly Readonly<Record<string, unknown>>[]
}

/** An executor with the test jobs, attached to a fake scheduler. */
export async function setup(
  env: Record<string, string> = {},
  prepare: (scheduler: FakeScheduler) => void = () => {},
  authenticate?: Authenticate,
): Promise<Setup> {
  const scheduler = await startFakeScheduler()
  prepare(scheduler)
  const logged: Record<string, unknown>[] = []
  const destination = { write: (line: string) => void logged.push(JSON.parse(line)) }
  const executor = createExecutor({
    config: readExecutorConfig({
      OFFSTAGE_JOBS: TEST_JOBS,
      OFFSTAGE_SCHEDULER: scheduler.address,
      OFFSTAGE_EXECUTOR_PORT: '0',
      OFFSTAGE_EXECUTOR_TASK_SLOTS: '2',
      OFFSTAGE_EXECUTOR_DRAIN_GRACE: '100ms',
      // A busy machine blocks, too.
      OFFSTAGE_EXECUTOR_INLINE_BLOCKED: '1h',
      ...env,
    }),
    log: createLogger({ name: 'executor', level: 'warn', destination }),
    ...(authenticate && { authenticate }),
  })
  await executor.start()
  const attachment = await scheduler.attachment()
  return {
    scheduler,
    executor,
    attachment,
    logged,
    async [Symbol.asyncDispose]() {
      await executor.stop()
      await scheduler[Symbol.asyncDispose]()
    },
  }
}
