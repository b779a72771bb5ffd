export { checkDatabaseTls } from './plain-connections.ts'
export {
  checkClientTls,
  checkServerTls,
  clientTls,
  clientTlsFields,
  serverTls,
  serverTlsFields,
  tlsFields,
  withoutTls,
} from './settings.ts'
