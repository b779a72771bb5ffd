export { type Answer, createProbeServer, type ProbeServer } from './probe-server.ts'
export { healthFields, probesOf } from './settings.ts'
