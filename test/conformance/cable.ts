/** The connection between the executor and the scheduler, which can be pulled out and put in again. */
import { connect, createServer, type Socket } from 'node:net'

export interface Cable extends AsyncDisposable {
  /** Where the executor is told that the scheduler is. */
  readonly address: string
  /** Breaks every connection; those that come are broken at once until `mend`. */
  pull(): void
  mend(): void
  /** Breaks every connection; those that come lead there from now on, `host:port`. Undefined: to the scheduler again. */
  divert(elsewhere: string | undefined): void
}

/** @param target `host:port` */
export async function startCable(target: string): Promise<Cable> {
  let { hostname, port } = new URL(`tcp://${target}`)
  const sockets = new Set<Socket>()
  let isPulled = false
  const hold = (socket: Socket) => {
    sockets.add(socket)
    // Whose other side is gone is gone.
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer((near) => {
    if (isPulled) {
      near.resetAndDestroy()
      return
    }
    const far = connect(Number(port), hostname)
    hold(near)
    hold(far)
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  const breakAll = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const pull = () => {
    isPulled = true
    breakAll()
  }
  return {
    address: `127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : 0}`,
    pull,
    mend() {
      isPulled = false
    },
    divert(elsewhere = target) {
      ;({ hostname, port } = new URL(`tcp://${elsewhere}`))
      breakAll()
    },
    async [Symbol.asyncDispose]() {
      pull()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
