import { MsgHdrsImpl } from '@nats-io/nats-core/internal'
import type { MsgHdrs } from '@nats-io/transport-node'
import type { BusMessage } from './bus.ts'
import { NO_HEADERS } from './message.ts'

/**
 * Headers that have been checked, as they go over the wire. The library checks them once more and makes their bytes anew for each
 * message: half of what a hint costs.
 */
class CheckedHeaders extends MsgHdrsImpl {
  readonly #wire: Uint8Array

  constructor(headers: BusMessage['headers']) {
    super()
    for (const name in headers) this.headers.set(name, [headers[name] ?? ''])
    this.#wire = Buffer.from(this.toString())
  }

  override encode(): Uint8Array {
    return this.#wire
  }
}

/** Those of the newest message, which the next one has often, too. */
let newest: { readonly of: BusMessage['headers']; readonly native: MsgHdrs } | undefined

/** @param headers of a message that was made: they have been checked, and never change */
export function nativeHeaders(headers: BusMessage['headers']): MsgHdrs | undefined {
  if (headers === NO_HEADERS) return undefined
  if (newest?.of !== headers) newest = { of: headers, native: new CheckedHeaders(headers) }
  return newest.native
}
