/** Ports of every store of a process. Apart from the stores, which need not be loaded where no code remembers anything. */
import type { RefreshMessage, RefreshPort } from './refresh.ts'

/** Those of every store, of stores that are still to be opened, too. */
export const sharedPorts = new Set<RefreshPort>()
let receive: (message: RefreshMessage) => void = () => {}

/** Has what such ports say told to the stores, from when there are any. */
export function receiveShared(receiver: (message: RefreshMessage) => void): void {
  receive = receiver
}

/**
 * Sends and receives the refreshes of every store of the process through `port`, of those that are opened later, too, until disposed. For
 * who runs the code of others, such as an executor.
 */
export function connectAllStores(port: RefreshPort): Disposable {
  const subscription = port.subscribe((message) => receive(message))
  sharedPorts.add(port)
  return {
    [Symbol.dispose]: () => {
      sharedPorts.delete(port)
      subscription[Symbol.dispose]()
    },
  }
}
