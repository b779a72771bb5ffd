import { isUtf8 } from 'node:buffer'
import type { Payload } from '@offstage/proto/jobs'
import { decodeValue } from '@offstage/sdk/jobs'

/**
 * A value as the command line shows it: itself where it came along; `{ address }` where it is in temp storage,
 * `{ base64 }` where it is bytes, and `{ problem }` with it as it is where it is not what its type says.
 */
export function valueFrom(payload: Payload | undefined): unknown {
  if (payload?.source === undefined) return undefined
  const { source, contentType } = payload
  if (source.$case === 'address') return { address: source.value, contentType }
  if (!isReadable(source.value, contentType)) {
    const problem = `it is not the ${contentType || 'JSON'} it says it is`
    return { problem, contentType, ...asItIs(source.value) }
  }
  const value = decodeValue(source.value, contentType)
  return value instanceof Uint8Array ? { base64: base64Of(value), contentType } : value
}

/** Whether bytes are what their media type says. */
export function isReadable(bytes: Uint8Array, contentType: string): boolean {
  try {
    decodeValue(bytes, contentType)
    return true
  } catch {
    return false
  }
}

function asItIs(bytes: Uint8Array): { readonly text: string } | { readonly base64: string } {
  return isUtf8(bytes) ? { text: Buffer.from(bytes).toString() } : { base64: base64Of(bytes) }
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
