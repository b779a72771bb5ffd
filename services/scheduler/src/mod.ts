export {
  type EmbeddedSchedulerConfig,
  readEmbeddedSchedulerConfig,
  readSchedulerConfig,
  type SchedulerConfig,
  schedulerFields,
} from './config.ts'
export { createScheduler, type Scheduler, type SchedulerOptions } from './scheduler.ts'
