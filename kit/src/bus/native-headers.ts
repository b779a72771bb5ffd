import { headers as createHeaders, type MsgHdrs } from '@nats-io/transport-node'
import { NO_HEADERS } from './message.ts'

export function nativeHeaders(headers: Readonly<Record<string, string>>): MsgHdrs | undefined {
  if (headers === NO_HEADERS) return undefined
  const entries = Object.entries(headers)
  if (entries.length === 0) return undefined
  const native = createHeaders()
  for (const [name, value] of entries) native.set(name, value)
  return native
}
