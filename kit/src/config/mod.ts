export { ConfigError, type ConfigFault } from './config-error.ts'
export { faultText } from './fault-text.ts'
export { readConfig } from './read-config.ts'
export { redact } from './redact.ts'
export { renderConfig } from './render-config.ts'
export {
  address,
  bearerToken,
  bytes,
  directory,
  file,
  flag,
  host,
  millis,
  natsUrl,
  port,
  positiveInteger,
  postgresUrl,
} from './schemas.ts'
export { UnavailableError } from './unavailable-error.ts'
export { UNKNOWN_VARIABLES, unknownVariables } from './unknown-variables.ts'
export { type ConfigOf, type Variable, variable } from './variable.ts'
