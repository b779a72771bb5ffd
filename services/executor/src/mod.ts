/** The executor service, to be run by `main.ts` or embedded. */
export {
  type ExecutorConfig,
  executorFields,
  readEmbeddedExecutorConfig,
  readExecutorConfig,
} from './config.ts'
export type { DrainReport } from './drain.ts'
export { createExecutor, type Executor, type ExecutorOptions } from './executor.ts'
export {
  type ForegroundRunnerOptions,
  foregroundRunner,
} from './foreground/foreground-runner.ts'
export { jobsFault } from './jobs-fault.ts'
export { modulesIn } from './run/find-modules.ts'
