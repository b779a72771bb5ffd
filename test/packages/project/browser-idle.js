import { createManualClock, idleHandlers } from '@offstage/sdk/idle'

const clock = createManualClock()
const handlers = idleHandlers({ clock })
let runs = 0
handlers.attach(handlers.owner('form', 'orders'), () => void runs++, { intervalMs: 500 })
globalThis.answer = clock.advance(2_000).then(() => runs)
