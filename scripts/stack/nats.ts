/** nats-server for `make up`, found as the tests find it. */
import { startNats } from '@offstage/testkit'
import { runServer } from './run-server.ts'

await runServer('nats-server', (port) => startNats({ port }))
