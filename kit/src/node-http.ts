/**
 * `node:http` without an import of it: for one Node reads whatever the module exports, and so loads a WebSocket that it has only for
 * those who ask. A service computes 25 ms longer until it serves.
 */
import { createRequire } from 'node:module'

export const { createServer, get }: typeof import('node:http') = createRequire(import.meta.url)(
  'node:http',
)
