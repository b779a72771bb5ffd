/** Messages and services of package offstage.executor.v1. */
export * from '../gen/offstage/executor/v1/executor_service.ts'
