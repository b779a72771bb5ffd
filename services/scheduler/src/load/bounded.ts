import type { Reading } from '@offstage/kit/telemetry'

/** Names of methods come from executors, those of pools from whoever starts jobs. */
const NAMED_MAX = 1_000
const OTHER = 'other'

type Labels = Readonly<Record<string, string>>
interface Named extends Reading {
  readonly labels: Labels & { readonly namespace: string; readonly pool: string }
}

/**
 * The first methods and pools by name of their own. Beyond them the pools of each of these methods are told as one, `other`, and all
 * other methods of a namespace as one: so no sum misses anything.
 */
export function bounded(
  readings: readonly Named[],
  join: (one: number, other: number) => number,
): Reading[] {
  const names = [...new Set(readings.map(({ labels }) => keyOf(labels, 'method', 'pool')))]
  if (names.length <= NAMED_MAX) return [...readings]
  const told = new Set(names.slice(0, NAMED_MAX))
  const isTold = ({ labels }: Named) => told.has(keyOf(labels, 'method', 'pool'))
  const own = readings.filter(isTold)
  const methods = new Set(own.map(({ labels }) => keyOf(labels, 'method')))
  const joined = new Map<string, { value: number; labels: Labels }>()
  for (const { value, labels } of readings.filter((each) => !isTold(each))) {
    const isOfOther = labels.method !== undefined && !methods.has(keyOf(labels, 'method'))
    const others = { ...labels, pool: OTHER, ...(isOfOther && { method: OTHER }) }
    const key = JSON.stringify(others)
    joined.set(key, { value: join(joined.get(key)?.value ?? 0, value), labels: others })
  }
  return [...own, ...joined.values()]
}

function keyOf(labels: Named['labels'], ...names: readonly string[]): string {
  return [labels.namespace, ...names.map((name) => labels[name])].join(' ')
}
