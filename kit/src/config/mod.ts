export { ConfigError, type ConfigFault } from './config-error.ts'
export { readConfig } from './read-config.ts'
export { redact } from './redact.ts'
export { renderConfig } from './render-config.ts'
export {
  address,
  bytes,
  directory,
  flag,
  host,
  millis,
  natsUrl,
  port,
  positiveInteger,
  postgresUrl,
} from './schemas.ts'
export { type ConfigOf, type Variable, variable } from './variable.ts'
