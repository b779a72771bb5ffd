import { createService, runMain } from '@offstage/kit/lifecycle'
import type { Exit } from '@offstage/testkit'

/** A server of the test kit. */
interface Server extends AsyncDisposable {
  readonly url: string
  readonly version: string
  readonly exited: Promise<Exit>
}

/**
 * Runs a server on the port OFFSTAGE_UP_PORT until SIGTERM, which ends it too. When the server ends by itself this
 * process ends as well and says so in its log: that it runs means that the server does.
 */
export function runServer(name: string, startOn: (port: number) => Promise<Server>): Promise<void> {
  return runMain(name, async () => {
    let server: Server | undefined
    let stopping = false
    return createService({
      name,
      async start() {
        server = await startOn(Number(process.env.OFFSTAGE_UP_PORT))
        console.log(`${name} ${server.version}: ${server.url}`)
        void server.exited.then(({ code, signal }) => {
          if (stopping) return
          console.error(`${name} has ended (${signal ?? `exit code ${code}`}), and so does this`)
          process.kill(process.pid, 'SIGTERM')
        })
      },
      async stop() {
        stopping = true
        await server?.[Symbol.asyncDispose]()
      },
    })
  })
}
