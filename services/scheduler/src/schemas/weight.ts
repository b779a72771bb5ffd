/** How much work a schema can make, known before any value is seen. */

export interface Weight {
  /** Nodes of the schema, those behind references counted wherever they are referred to. Infinite for one that refers to itself. */
  readonly nodes: number
  /** Items are compared with each other. */
  readonly isQuadratic: boolean
}

const NODES_MAX = 1_000_000

export function weightOf(schema: unknown): Weight {
  const known = new Map<unknown, number>()
  const open = new Set<unknown>()
  let isQuadratic = false

  const count = (node: unknown): number => {
    if (typeof node !== 'object' || node === null) return 1
    if (open.has(node)) return Number.POSITIVE_INFINITY
    const before = known.get(node)
    if (before !== undefined) return before
    open.add(node)
    let nodes = 1
    for (const [name, value] of Object.entries(node)) {
      if (name === 'uniqueItems' && value === true) isQuadratic = true
      nodes += REFERENCES.has(name) && typeof value === 'string' ? behind(value) : count(value)
    }
    open.delete(node)
    const bounded = nodes > NODES_MAX ? Number.POSITIVE_INFINITY : nodes
    known.set(node, bounded)
    return bounded
  }
  const behind = (reference: string) => {
    const target = targetOf(schema, reference)
    return target === undefined ? Number.POSITIVE_INFINITY : count(target)
  }
  const nodes = count(schema)
  return { nodes, isQuadratic }
}

export const REFERENCES: ReadonlySet<string> = new Set(['$ref', '$dynamicRef', '$recursiveRef'])

/** What a reference of the form `#/$defs/row` names; undefined for other forms, and where nothing is there. */
export function targetOf(schema: unknown, reference: string): unknown {
  if (reference === '#') return schema
  if (!reference.startsWith('#/')) return undefined
  let target = schema
  for (const part of reference.slice(2).split('/')) {
    if (typeof target !== 'object' || target === null) return undefined
    const name = unescaped(part)
    if (!Object.hasOwn(target, name)) return undefined
    target = (target as Record<string, unknown>)[name]
  }
  return target
}

function unescaped(part: string): string {
  const text = part.replaceAll('~1', '/').replaceAll('~0', '~')
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
