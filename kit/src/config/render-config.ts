import { redact } from './redact.ts'
import type { ConfigOf, Variable } from './variable.ts'

/**
 * The configuration for the log of a start: by variable its value as it would be written in the environment. Times and
 * sizes have their unit, which the name of their field tells (`leaseMs`, `valueBytesMax`). Secrets, and the passwords
 * within urls, are hidden; a secret that is not set says so.
 */
export function renderConfig<F extends Record<string, Variable<unknown>>>(
  fields: F,
  config: ConfigOf<F>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(fields)
  return Object.fromEntries(
    entries.map(([key, field]) => [field.name, valueText(key, field, config[key])]),
  )
}

type Units = readonly (readonly [unit: string, size: number])[]

const TIMES: Units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
]

const SIZES: Units = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
]

function valueText(key: string, { secret }: Variable<unknown>, value: unknown): string {
  if (value === undefined || value === null) return '(not set)'
  if (secret) return '(hidden)'
  if (typeof value === 'number' && /Ms(Max)?$/.test(key)) return inUnits(value, TIMES)
  if (typeof value === 'number' && /Bytes(Max)?$/.test(key)) return inUnits(value, SIZES)
  if (Array.isArray(value)) return redact(value.join(','))
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return redact(text)
}

/** In the largest unit that makes it a whole number. */
function inUnits(value: number, units: Units): string {
  const [unit, size] = units.find(([, each]) => value % each === 0 && value >= each) ?? ['', 1]
  return `${value / size}${value === 0 ? units.at(-1)?.[0] : unit}`
}
