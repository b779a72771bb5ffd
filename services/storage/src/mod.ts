export { createJobValues } from './asking/job-values.ts'
export {
  type EmbeddedStorageConfig,
  readEmbeddedStorageConfig,
  readStorageConfig,
  type StorageConfig,
  storageFields,
} from './config.ts'
export { createStorage, type Storage, type StorageOptions } from './storage.ts'
