import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'

/** A pool of as many threads as the lane `task` has, which runs a function that does nothing. */
export async function openPiscina(): Promise<AsyncDisposable & Pick<Piscina, 'run'>> {
  const threads = availableParallelism()
  const filename = new URL('./noop.ts', import.meta.url).href
  const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads })
  return {
    run: (task) => pool.run(task),
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}
