import { readFileSync } from 'node:fs'
import { address } from '@offstage/kit/config'
import { LIMITS } from '@offstage/proto/limits'
import { Argument, InvalidArgumentError } from 'commander'

/** Parses JSON given on the command line, or with `-` on standard input. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text === '-' ? readFileSync(process.stdin.fd, 'utf8') : text)
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    throw new InvalidArgumentError(`It is not JSON: ${problem}. In a shell, quote it: '{"a":1}'`)
  }
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Parses a time such as `800ms`, `5s`, `2m`; in milliseconds. */
export function parseMillis(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  if (amount === undefined || unit === undefined) {
    throw new InvalidArgumentError('It must be a time with its unit, such as 800ms, 5s or 2m.')
  }
  const millis = Number(amount) * UNITS[unit as keyof typeof UNITS]
  if (millis <= LIMITS.durationMsMax) return millis
  throw new InvalidArgumentError('It must be at most ten years.')
}

/** Parses a whole number from 1. */
export function parseCount(text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count
  throw new InvalidArgumentError('It must be a whole number from 1.')
}

/** Which jobs are meant: its words stand side by side, quoted together or each for itself. */
export function filterArgument(): Argument {
  const example = "'state:failed method:reports.* age:<1h'"
  return new Argument('[filter...]', `only those it selects, such as ${example}`)
}

/** Parses where a service is. */
export function parseAddress(text: string): string {
  const { data, error } = address.safeParse(text)
  if (data !== undefined) return data
  throw new InvalidArgumentError(`It ${error?.issues[0]?.message ?? 'is no address'}.`)
}
