/** The executor service, to be run by `main.ts` or embedded. */
export { type ExecutorConfig, executorVariables, readExecutorConfig } from './config.ts'
export {
  createExecutor,
  type DrainReport,
  type Executor,
  type ExecutorOptions,
} from './executor.ts'
