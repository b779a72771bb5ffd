/** Messages and services of package offstage.storage.v1. */
export * from '../gen/offstage/storage/v1/storage_service.ts'
