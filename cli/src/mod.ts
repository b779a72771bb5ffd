export {
  createDevServices,
  type DevAddresses,
  type DevOptions,
  type DevServices,
} from './dev/dev-services.ts'
