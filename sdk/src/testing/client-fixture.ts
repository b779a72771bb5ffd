/** For tests: a client of scripted services, all closed at the end. */

import type { ConnectOptions } from '../client/connect-options.ts'
import { Offstage } from '../client/offstage.ts'
import { createManualClock, type ManualClock } from '../idle/manual-clock.ts'
import { FakeScheduler } from './fake-scheduler.ts'
import { FakeStorage } from './fake-storage.ts'

export interface ClientFixture extends AsyncDisposable {
  readonly offstage: Offstage
  readonly scheduler: FakeScheduler
  readonly storage: FakeStorage
  /** Moves the client's waits; nothing else. */
  readonly clock: ManualClock
}

/** Connects a client to fresh services; fails at the end where a watch stream is left open. */
export async function setUpClient(options: ConnectOptions = {}): Promise<ClientFixture> {
  const scheduler = await new FakeScheduler().listen()
  const storage = await new FakeStorage().listen()
  const clock = createManualClock()
  const offstage = await Offstage.connect({
    scheduler: scheduler.address,
    storage: storage.address,
    clock,
    ...options,
  })
  return {
    offstage,
    scheduler,
    storage,
    clock,
    async [Symbol.asyncDispose]() {
      await offstage.close()
      await scheduler[Symbol.asyncDispose]()
      await storage[Symbol.asyncDispose]()
      if (clock.pendingTimers > 0) throw new Error(`${clock.pendingTimers} timers were left`)
    },
  }
}

/** Waits until a condition holds, a turn of the event loop at a time; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
