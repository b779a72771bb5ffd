/** The main module of a process of handlers. */

import { Socket } from 'node:net'
import { faultFromThrown } from '../domain/fault.ts'
import type { ProcessMessage, ProcessWord } from '../lanes/process-host.ts'
import { PIPE, ProcessPipe } from '../lanes/process-pipe.ts'
import type { ThreadMessage, ThreadOptions, ThreadOrders } from '../lanes/thread-messages.ts'
import { AskedClaims } from './asked-claims.ts'
import { serve } from './serve.ts'

const stream = new Socket({ fd: PIPE, readable: true, writable: true })
const pipe = new ProcessPipe(stream, {
  onMessage: (heard) => {
    const message = heard as ProcessMessage
    if (message.kind === 'orders') obey(message.orders)
    else if (message.kind === 'begun') claims.answer(message)
    else given.resolve(message.options)
  },
})

function post(message: ThreadMessage | ProcessWord): void {
  pipe.send(message)
}

const claims = new AskedClaims(post)
const given = Promise.withResolvers<ThreadOptions>()
const early: ThreadOrders[] = []
let obey = (orders: ThreadOrders): void => void early.push(orders)

stream.on('close', () => process.exit(1))
process.on('uncaughtExceptionMonitor', (error) => {
  post({ kind: 'throwing', detail: faultFromThrown(error).detail })
})

await serve({
  options: await given.promise,
  claims,
  post,
  listen: (listener) => {
    obey = listener
    for (const orders of early) obey(orders)
  },
})
