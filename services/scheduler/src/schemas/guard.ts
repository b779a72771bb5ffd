import { createContext, Script } from 'node:vm'

const box: { run?: (() => unknown) | undefined } = {}
createContext(box)
const script = new Script('run()')

/** What ran longer than it may. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError'
}

/** Of its limit: what has had so much of a processor is slow by itself. */
const OWN_SHARE = 1 / 2

/**
 * Ends what runs longer, wherever it is, in a regular expression too. What was only held up, because others have the processor,
 * is begun anew, so it must be fit for that. A watchdog thread for each call: some 150 µs.
 */
export function within<T>(limitMs: number, run: () => T): T {
  let ranMs = 0
  while (ranMs < limitMs * OWN_SHARE) {
    const before = process.threadCpuUsage()
    const result = endedWithin(limitMs, run)
    if (result !== undefined) return result.value
    const { user, system } = process.threadCpuUsage(before)
    ranMs += (user + system) / 1_000
  }
  throw new TooSlowError(`over ${limitMs} ms`)
}

function endedWithin<T>(limitMs: number, run: () => T): { readonly value: T } | undefined {
  let result: { readonly value: T } | undefined
  box.run = () => {
    result = { value: run() }
  }
  try {
    script.runInContext(box, { timeout: limitMs })
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    return undefined
  } finally {
    box.run = undefined
  }
  return result
}
