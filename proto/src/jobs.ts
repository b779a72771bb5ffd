/** Messages and services of package offstage.jobs.v1. */
export * from '../gen/offstage/jobs/v1/job.ts'
export * from '../gen/offstage/jobs/v1/job_service.ts'
export * from '../gen/offstage/jobs/v1/namespace_service.ts'
export * from '../gen/offstage/jobs/v1/schedule_service.ts'
