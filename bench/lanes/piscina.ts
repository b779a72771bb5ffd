import { availableParallelism } from 'node:os'

interface Pool {
  run(task: unknown): Promise<unknown>
  destroy(): Promise<void>
}

/** By its name alone: `make bench-lanes` fetches it, and nobody else needs it. */
const NAME: string = 'piscina'

/** A pool of as many threads as the lane `task` has, which runs a function that does nothing. */
export async function openPiscina(): Promise<AsyncDisposable & Pick<Pool, 'run'>> {
  const { Piscina } = (await import(NAME)) as { Piscina: new (options: object) => Pool }
  const threads = availableParallelism()
  const filename = new URL('./noop.ts', import.meta.url).href
  const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads })
  return {
    run: (task) => pool.run(task),
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}
