import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A TCP port of 127.0.0.1 that nobody listened on a moment ago. Another process may take it before
 * the caller does, so servers started on one are started again on another when the bind fails.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert(address !== null && typeof address === 'object')
  server.close()
  await once(server, 'close')
  return address.port
}
