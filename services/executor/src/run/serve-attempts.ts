/** The main module of a handler thread. */

import { parentPort, workerData } from 'node:worker_threads'
import { HeldClaims } from '../lanes/claims.ts'
import type { ThreadLink, ThreadOptions } from '../lanes/thread-messages.ts'
import { guardOwnProcess } from './own-process.ts'
import { serve } from './serve.ts'

const { port, claims, ...options }: ThreadOptions & ThreadLink = workerData
// What is the runner's alone is out of reach before any job module is loaded.
for (const name of Object.keys(workerData)) delete workerData[name]
// Nobody listens there, and the executor would take apart whatever a handler says.
parentPort?.close()
guardOwnProcess()

await serve({
  options,
  claims: new HeldClaims(claims),
  post: port.postMessage.bind(port),
  listen: (obey) => port.on('message', obey),
})
