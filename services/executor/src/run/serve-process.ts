/** The main module of a process of handlers. */

import { faultFromThrown } from '../domain/fault.ts'
import type { ProcessMessage, ProcessWord } from '../lanes/process-host.ts'
import type { ThreadMessage, ThreadOptions, ThreadOrders } from '../lanes/thread-messages.ts'
import { AskedClaims } from './asked-claims.ts'
import { serve } from './serve.ts'

const send = process.send?.bind(process)
if (send === undefined) throw new Error('it is started by an executor')
// Programs that find it take whoever has started them for somebody else.
process.send = undefined as never

function post(message: ThreadMessage | ProcessWord): void {
  send?.(message, undefined, undefined, () => {
    // Nobody hears it: the executor is gone.
  })
}

const claims = new AskedClaims(post)
const given = Promise.withResolvers<ThreadOptions>()
const early: ThreadOrders[] = []
let obey = (orders: ThreadOrders): void => void early.push(orders)

process.on('message', (message: ProcessMessage) => {
  if (message.kind === 'orders') obey(message.orders)
  else if (message.kind === 'begun') claims.answer(message)
  else given.resolve(message.options)
})
process.on('disconnect', () => process.exit(1))
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
