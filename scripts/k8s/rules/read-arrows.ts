import type { Arrows } from './arrows.ts'

/** The names that documents have for what manifests call otherwise. */
const NAMES: Readonly<Record<string, string>> = {
  PostgreSQL: 'postgres',
  NATS: 'nats',
  DNS: 'dns',
  'the API server': 'kubernetes',
}

/** Reads the tables `| who | dials |` of two documents: what is always needed, and what some overlays have beside it. */
export function readArrows(architecture: string, guide: string): Arrows {
  return { required: arrowsOf(architecture), optional: arrowsOf(guide) }
}

function arrowsOf(markdown: string): ReadonlySet<string> {
  const [, table = ''] =
    /^\| who \| dials \|[^\n]*\n\|[^\n]*\n((?:\|[^\n]*\n)+)/m.exec(markdown) ?? []
  const rows = table.split('\n').map((line) => line.split('|').slice(1, 3).map(listOf))
  return new Set(
    rows.flatMap(([froms = [], tos = []]) =>
      froms.flatMap((from) => tos.map((to) => `${from} → ${to}`)),
    ),
  )
}

function listOf(cell: string): string[] {
  return cell.split(',').map((each) => {
    const name = each.trim()
    return NAMES[name] ?? name
  })
}
