export { readStorageConfig, type StorageConfig } from './config.ts'
export { createStorageService, type StorageService, type StorageServiceOptions } from './service.ts'
