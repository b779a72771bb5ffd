import { headers as createHeaders, type MsgHdrs } from '@nats-io/transport-node'

export function nativeHeaders(headers: Readonly<Record<string, string>>): MsgHdrs | undefined {
  const entries = Object.entries(headers)
  if (entries.length === 0) return undefined
  const native = createHeaders()
  for (const [name, value] of entries) native.set(name, value)
  return native
}
