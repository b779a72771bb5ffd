/**
 * Has services collect their garbage while a soak goes on, by their inspectors: with gigabytes of memory free, Node lets it lie for
 * minutes, and what is resident then tells nothing of what is held.
 */
import { once } from 'node:events'
import { type SpawnedProcess, until } from '@offstage/testkit'

/** For the environment of services: each opens its inspector at a port of its own. */
export const INSPECTABLE = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' } as const

const EVERY_MS = 10_000

type Inspected = Pick<SpawnedProcess, 'signal' | 'stderr'>

/** Collects the garbage of these every ten seconds, until it is disposed of; one that is frozen does so when it goes on. */
export async function collectGarbage(processes: readonly Inspected[]): Promise<Disposable> {
  const sockets = await Promise.all(processes.map(inspectorOf))
  let id = 0
  const collect = () => {
    id += 1
    for (const socket of sockets) {
      if (socket.readyState !== WebSocket.OPEN) continue
      socket.send(JSON.stringify({ id, method: 'HeapProfiler.collectGarbage' }))
    }
  }
  const timer = setInterval(collect, EVERY_MS)
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
      for (const socket of sockets) socket.close()
    },
  }
}

async function inspectorOf(inspected: Inspected): Promise<WebSocket> {
  const url = () => /ws:\/\/\S+/.exec(inspected.stderr)?.[0]
  inspected.signal('SIGUSR1')
  await until(() => url() !== undefined, { what: 'a service opens its inspector' })
  const socket = new WebSocket(url() ?? '')
  await once(socket, 'open')
  return socket
}
