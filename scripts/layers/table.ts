/** What each layer may import: the tables of ARCHITECTURE.md, so that what is written there is what is enforced. */
export type Layers = ReadonlyMap<string, ReadonlySet<string>>

/** The rows whose first cell is a name in backticks, or several; the names of the last cell are what it may import. */
export function layersIn(markdown: string): Layers {
  const rows = markdown
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1))
  return new Map(
    rows.flatMap((cells) => {
      const allowed = new Set(namesIn(cells.at(-1)))
      return namesIn(cells[0]).map((name) => [name, allowed] as const)
    }),
  )
}

function namesIn(cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
}
