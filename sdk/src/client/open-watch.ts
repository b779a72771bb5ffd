import type { Metadata } from '@grpc/grpc-js'
import { openBidi } from '../grpc/mod.ts'
import type { Calls } from './calls.ts'
import { isTokenRefused } from './credential.ts'
import type { WatchCall } from './watch-stream.ts'

/** Opens a WatchJobs stream; later where the token is still to be had. One that ends for its token has the next one renewed. */
export function openWatch({ connection, identity }: Calls): WatchCall | Promise<WatchCall> {
  const { jobs, scheduler } = connection
  const { credential } = identity
  const open = (metadata: Metadata): WatchCall => {
    const call = openBidi(jobs.watchJobs.bind(jobs), { metadata, target: scheduler })
    if (!credential.isRenewable) return call
    async function* responses() {
      try {
        yield* call.responses
      } catch (error) {
        // Whether there is another one shows when the stream is opened again.
        if (isTokenRefused(error)) await credential.afterRefusal(metadata).catch(() => undefined)
        throw error
      }
    }
    return { ...call, responses: responses() }
  }
  const metadata = credential.metadata()
  return metadata instanceof Promise ? metadata.then(open) : open(metadata)
}
