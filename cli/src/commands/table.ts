/** Rows as lines under a header, in columns at least two spaces apart; the last may hold free text. */
export function linesOf(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map(({ length }) => length))
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => row[i]?.length ?? 0)),
  )
  const line = (row: readonly string[]) => row.map((text, i) => text.padEnd(widths[i] ?? 0))
  return rows.map((row) => `${line(row).join('  ').trimEnd()}\n`).join('')
}
