import { redact } from './redact.ts'
import type { ConfigOf, Variable } from './variable.ts'

/**
 * A table for the log of a start: variable, value, description. Secrets, and the passwords within
 * urls, are hidden; a secret that is not set says so.
 */
export function renderConfig<F extends Record<string, Variable<unknown>>>(
  fields: F,
  config: ConfigOf<F>,
): string {
  const rows = Object.entries(fields).map(([key, field]) => [
    field.name,
    valueText(field, config[key]),
    field.description,
  ])
  const all = [['variable', 'value', 'description'], ...rows]
  const width = (column: number) => Math.max(...all.map((row) => row[column]?.length ?? 0))
  const widths = [width(0), width(1), 0]
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function valueText({ secret }: Variable<unknown>, value: unknown): string {
  if (value === undefined || value === null) return '(not set)'
  if (secret) return '(hidden)'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return redact(text)
}
