import { createContext, Script } from 'node:vm'

const box: { run?: (() => unknown) | undefined } = {}
createContext(box)
const script = new Script('run()')

/** What ran longer than it may. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError'
}

/** Ends what runs longer, wherever it is, in a regular expression too. A watchdog thread for each call: some 150 µs. */
export function within<T>(limitMs: number, run: () => T): T {
  let result: { readonly value: T } | undefined
  box.run = () => {
    result = { value: run() }
  }
  try {
    script.runInContext(box, { timeout: limitMs })
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw new TooSlowError(`over ${limitMs} ms`)
    throw error
  } finally {
    box.run = undefined
  }
  if (result === undefined) throw new TooSlowError(`over ${limitMs} ms`)
  return result.value
}
