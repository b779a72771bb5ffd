/** The entry of a process of handlers, as thread.ts is of a thread. It does not outlive the executor. */

import { enableCompileCache, flushCompileCache } from 'node:module'
import { Worker } from 'node:worker_threads'

/** A thread, since a handler may compute without end: nobody else could see that the executor is gone. */
const WATCH = `
  const { workerData } = require('node:worker_threads')
  const end = () => { try { process.kill(-process.pid, 'SIGKILL') } catch { process.kill(process.pid, 'SIGKILL') } }
  setInterval(() => { if (process.ppid !== workerData) end() }, 1000)
`

new Worker(WATCH, {
  eval: true,
  workerData: Number(process.argv[2]),
  env: {},
  execArgv: [],
  resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
}).unref()
enableCompileCache()
await import('./serve-process.ts')
flushCompileCache()
